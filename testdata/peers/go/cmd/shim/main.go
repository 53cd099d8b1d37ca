// SPDX-License-Identifier: Apache-2.0

// Command shim drives `peerctl caa` with kata's own client packages, in the way the kata shim does: a connection of its
// own for each hypervisor call, and one agent connection, made by kata's dialler, that is never opened again.
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
	"io"
	"os"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/client"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc/status"

	"peerctl.test/peers/internal/lines"
)

// checkTimeout bounds one Health/Check, as the real shim does.
const checkTimeout = 30 * time.Second

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

// held is the one agent connection.
type held struct {
	connection *ttrpc.Client
	agent      pb.AgentServiceService
	health     pb.HealthService
}

type shim struct {
	hypervisor string

	mutex        sync.Mutex
	held         *held
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
	// kata's dialler logs each try, and it tries without a pause.
	logrus.SetOutput(io.Discard)
	run := (&shim{hypervisor: *socket}).serve
	if once {
		run = func() error { return (&shim{hypervisor: *socket}).runOnce(*id) }
	}
	if err := run(); err != nil {
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
		return nil, s.connect(c.Path, time.Duration(c.TimeoutMs)*time.Millisecond)
	case "describe":
		return describe(), nil
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

func (s *shim) agentClient() (*held, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.held == nil {
		return nil, errors.New("the agent is not connected")
	}
	return s.held, nil
}

// connect tries until the agent socket accepts; the connection is then held until disconnect. It is what kata's
// NewAgentClient makes of a remote:// address, but its end can be told.
func (s *shim) connect(path string, timeout time.Duration) error {
	if _, err := s.agentClient(); err == nil {
		return errors.New("the agent is connected already, and a shim never redials")
	}
	connection, err := client.RemoteSockDialer(client.RemoteSockScheme+":"+path, timeout)
	if err != nil {
		return err
	}
	ttrpcClient := ttrpc.NewClient(
		connection,
		ttrpc.WithUnaryClientInterceptor(client.TraceUnaryClientInterceptor()),
		ttrpc.WithOnClose(func() { lines.Write(map[string]string{"event": "agentClosed"}) }),
	)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.held = &held{ttrpcClient, pb.NewAgentServiceClient(ttrpcClient), pb.NewHealthClient(ttrpcClient)}
	return nil
}

func (s *shim) disconnect() error {
	held, err := s.agentClient()
	if err != nil {
		return err
	}
	s.mutex.Lock()
	if s.stopChecks != nil {
		s.stopChecks()
	}
	s.mutex.Unlock()
	return held.connection.Close()
}

// startChecks asks Health/Check at each interval; the first failure ends it, since a shim gives the sandbox up then.
func (s *shim) startChecks(interval time.Duration) error {
	if interval <= 0 {
		return errors.New("intervalMs must be positive")
	}
	held, err := s.agentClient()
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
			if err := s.check(held.health); err != nil {
				lines.Write(map[string]string{"event": "checkFailed", "error": err.Error()})
				return
			}
		}
	}()
	return nil
}

func (s *shim) check(health pb.HealthService) error {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	_, err := health.Check(ctx, &pb.CheckRequest{})
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
