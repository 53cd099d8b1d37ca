// SPDX-License-Identifier: Apache-2.0

// Command shim drives `peerctl caa` in the way a kata shim does, over containerd/ttrpc: a connection of its own for
// each hypervisor call, and one agent connection that is never opened again. It is not kata's code; the calls are
// made from the schema beside it.
//
// Commands come on stdin as JSON lines and each is answered by a line with the same "n"; none waits for another:
//
//	{"n":1,"op":"call","service":"hypervisor.Hypervisor","method":"CreateVM","request":{…},"timeoutMs":1000}
//	{"n":2,"op":"connect","path":"…/agent.ttrpc","timeoutMs":30000}
//	{"n":3,"op":"startChecks","intervalMs":5000}
//	{"n":4,"op":"stats"}
//	{"n":5,"op":"disconnect"}
//	{"n":6,"op":"describe"}
//
// `shim run -socket S` makes the whole sequence once and exits 0 only if each result was right.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"peerctl.test/peers/internal/lines"
	"peerctl.test/peers/internal/schema"
)

// checkTimeout bounds one Health/Check, as the real shim does.
const checkTimeout = 30 * time.Second

// dialPause lies between two tries to reach the agent socket; the real shim does not pause at all.
const dialPause = 10 * time.Millisecond

type command struct {
	N          int             `json:"n"`
	Op         string          `json:"op"`
	Service    string          `json:"service"`
	Method     string          `json:"method"`
	Request    json.RawMessage `json:"request"`
	Path       string          `json:"path"`
	TimeoutMs  int             `json:"timeoutMs"`
	IntervalMs int             `json:"intervalMs"`
}

type reply struct {
	N      int    `json:"n"`
	OK     bool   `json:"ok"`
	Code   int    `json:"code"`
	Error  string `json:"error,omitempty"`
	Result any    `json:"result,omitempty"`
}

type shim struct {
	schema     *schema.Schema
	hypervisor string

	mutex        sync.Mutex
	agent        *ttrpc.Client
	stopChecks   context.CancelFunc
	checksOK     int
	checksFailed int
}

func main() {
	arguments := os.Args[1:]
	once := len(arguments) > 0 && arguments[0] == "run"
	if once {
		arguments = arguments[1:]
	}
	flags := flag.NewFlagSet("shim", flag.ExitOnError)
	socket := flags.String("socket", "", "hypervisor socket")
	id := flags.String("id", "go-shim", "sandbox id, for run")
	flags.Parse(arguments)
	s, err := schema.Load()
	if err == nil {
		peer := &shim{schema: s, hypervisor: *socket}
		if once {
			err = peer.runOnce(*id)
		} else {
			err = peer.serve()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "shim:", err)
		os.Exit(1)
	}
}

func (s *shim) serve() error {
	return lines.Read(func(line []byte) {
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			lines.Write(reply{Code: -1, Error: err.Error()})
			return
		}
		go func() {
			result, err := s.handle(c)
			if err != nil {
				// -1: not a status of the other side, but an error of this client, such as "ttrpc: closed".
				code := -1
				if st, ok := status.FromError(err); ok {
					code = int(st.Code())
				}
				lines.Write(reply{N: c.N, Code: code, Error: err.Error()})
				return
			}
			lines.Write(reply{N: c.N, OK: true, Result: result})
		}()
	})
}

func (s *shim) handle(c command) (any, error) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if c.TimeoutMs != 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.TimeoutMs)*time.Millisecond)
	}
	defer cancel()
	switch c.Op {
	case "call":
		return s.call(ctx, c.Service, c.Method, c.Request)
	case "connect":
		return nil, s.connect(ctx, c.Path)
	case "describe":
		return s.schema.Describe(), nil
	case "disconnect":
		return nil, s.disconnect()
	case "startChecks":
		return nil, s.startChecks(time.Duration(c.IntervalMs) * time.Millisecond)
	case "stats":
		s.mutex.Lock()
		defer s.mutex.Unlock()
		return map[string]int{"checksOk": s.checksOK, "checksFailed": s.checksFailed}, nil
	}
	return nil, fmt.Errorf("unknown op %q", c.Op)
}

// call sends to the hypervisor socket over a connection of its own, or to the agent over the one that is held.
func (s *shim) call(ctx context.Context, service, method string, request []byte) (json.RawMessage, error) {
	in, out, err := s.schema.Request(service, method, request)
	if err != nil {
		return nil, err
	}
	client, err := s.agentClient()
	if !strings.HasPrefix(service, "grpc.") {
		var connection net.Conn
		if connection, err = net.Dial("unix", s.hypervisor); err == nil {
			client = ttrpc.NewClient(connection)
			defer client.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	if err := client.Call(ctx, service, method, in, out); err != nil {
		return nil, err
	}
	return schema.JSON(out)
}

func (s *shim) agentClient() (*ttrpc.Client, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.agent == nil {
		return nil, errors.New("the agent is not connected")
	}
	return s.agent, nil
}

// connect tries until the agent socket accepts; the connection is then held until disconnect.
func (s *shim) connect(ctx context.Context, path string) error {
	if _, err := s.agentClient(); err == nil {
		return errors.New("the agent is connected already, and a shim never redials")
	}
	for {
		connection, err := net.Dial("unix", path)
		if err == nil {
			client := ttrpc.NewClient(connection, ttrpc.WithOnClose(func() { lines.Write(map[string]string{"event": "agentClosed"}) }))
			s.mutex.Lock()
			s.agent = client
			s.mutex.Unlock()
			return nil
		}
		select {
		case <-time.After(dialPause):
		case <-ctx.Done():
			return fmt.Errorf("cannot reach the agent: %w", err)
		}
	}
}

func (s *shim) disconnect() error {
	client, err := s.agentClient()
	if err != nil {
		return err
	}
	s.mutex.Lock()
	if s.stopChecks != nil {
		s.stopChecks()
	}
	s.mutex.Unlock()
	return client.Close()
}

// startChecks asks Health/Check at each interval; the first failure ends it, since a shim gives the sandbox up then.
func (s *shim) startChecks(interval time.Duration) error {
	if interval <= 0 {
		return errors.New("intervalMs must be positive")
	}
	client, err := s.agentClient()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.mutex.Lock()
	s.stopChecks = stop
	s.mutex.Unlock()
	go func() {
		for ticker := time.NewTicker(interval); ; {
			select {
			case <-ctx.Done():
				ticker.Stop()
				return
			case <-ticker.C:
			}
			in, out, _ := s.schema.Request("grpc.Health", "Check", nil)
			if err := s.check(client, in, out); err != nil {
				lines.Write(map[string]string{"event": "checkFailed", "error": err.Error()})
				return
			}
		}
	}()
	return nil
}

func (s *shim) check(client *ttrpc.Client, in, out *dynamicpb.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	err := client.Call(ctx, "grpc.Health", "Check", in, out)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err != nil {
		s.checksFailed++
	} else {
		s.checksOK++
		lines.Write(map[string]any{"event": "checked", "checksOk": s.checksOK})
	}
	return err
}
