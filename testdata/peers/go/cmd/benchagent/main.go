// SPDX-License-Identifier: Apache-2.0

// Command benchagent is the agent of the benches: it serves AgentService and Health on a unix socket, runs nothing, and
// checks what it gets and answers what its client can check (package pattern).
//
// Lines on stdin: {"op":"hold"} stops reading of every connection, {"op":"go"} lets it go on, {"op":"count"} writes the
// bytes that all connections have read and written. The end of stdin ends the program.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/containerd/ttrpc"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"

	"peerctl.test/peers/internal/lines"
	"peerctl.test/peers/internal/pattern"
)

func main() {
	socket := flag.String("socket", "", "unix socket to serve")
	flag.Parse()
	if err := run(*socket); err != nil {
		fmt.Fprintln(os.Stderr, "benchagent:", err)
		os.Exit(1)
	}
}

func run(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	gated := &gates{Listener: listener}
	pb.RegisterAgentServiceService(server, newAgent())
	pb.RegisterHealthService(server, health{})
	go server.Serve(context.Background(), gated)
	lines.Write(map[string]string{"event": "ready"})
	err = lines.Read(func(line []byte) {
		var command struct{ Op string }
		if json.Unmarshal(line, &command) == nil {
			gated.do(command.Op)
		}
	})
	server.Close()
	os.Remove(socket)
	return err
}

// gates remembers every connection that it accepts.
type gates struct {
	net.Listener
	mutex sync.Mutex
	all   []*pattern.Gate
}

func (g *gates) Accept() (net.Conn, error) {
	connection, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	gate := &pattern.Gate{Conn: connection}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.all = append(g.all, gate)
	return gate, nil
}

func (g *gates) do(op string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	var in, out int64
	for _, gate := range g.all {
		switch op {
		case "hold":
			gate.Hold()
		case "go":
			gate.Go()
		}
		in, out = in+gate.In.Value(), out+gate.Out.Value()
	}
	lines.Write(map[string]any{"event": op, "read": in, "written": out})
}
