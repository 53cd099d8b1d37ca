// SPDX-License-Identifier: Apache-2.0

// Command benchagent is the agent of the benches: it serves AgentService and Health on a unix socket, runs nothing, and
// checks what it gets and answers what its client can check (package pattern).
//
// Lines on stdin: {"op":"hold"} stops reading of every connection, {"op":"go"} lets it go on, {"op":"count"} writes the
// bytes that all connections have read and written. The end of stdin ends the program.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"

	"peerctl.test/peers/internal/lines"
	"peerctl.test/peers/internal/pattern"
	"peerctl.test/peers/internal/wire"
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
	all := &gates{}
	bench := &agent{}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go wire.Serve(all.add(connection), bench.handle)
		}
	}()
	lines.Write(map[string]string{"event": "ready"})
	err = lines.Read(func(line []byte) {
		var command struct{ Op string }
		if json.Unmarshal(line, &command) == nil {
			all.do(command.Op)
		}
	})
	listener.Close()
	return err
}

// gates are the connections that were accepted.
type gates struct {
	mutex sync.Mutex
	all   []*pattern.Gate
}

func (g *gates) add(connection net.Conn) net.Conn {
	gate := &pattern.Gate{Conn: connection}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.all = append(g.all, gate)
	return gate
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
