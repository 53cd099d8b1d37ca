// SPDX-License-Identifier: Apache-2.0

// Command agent serves kata's AgentService and Health with containerd/ttrpc on a unix socket, really runs what a
// container's process says, and writes each request to stdout as one JSON line, with -record to a file as well.
//
// {"op":"oom","container_id":…} on stdin answers one parked GetOOMEvent. The end of stdin ends the program; with -stay
// only SIGTERM does, so that `peerctl caa process -agent-command` can start it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/containerd/ttrpc"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"

	"peerctl.test/peers/internal/lines"
)

type options struct {
	socket, dir, record string
	stay                bool
}

func main() {
	var o options
	flag.StringVar(&o.socket, "socket", "", "unix socket to serve")
	flag.StringVar(&o.dir, "dir", "", "where CopyFile puts files")
	flag.StringVar(&o.record, "record", "", "file to append requests to")
	flag.BoolVar(&o.stay, "stay", false, "serve until SIGTERM instead of the end of stdin")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.record != "" {
		if err := lines.Record(o.record); err != nil {
			return err
		}
	}
	listener, err := net.Listen("unix", o.socket)
	if err != nil {
		return err
	}
	server, err := ttrpc.NewServer(ttrpc.WithUnaryServerInterceptor(record))
	if err != nil {
		return err
	}
	a := newAgent(o.dir)
	pb.RegisterAgentServiceService(server, a)
	pb.RegisterHealthService(server, health{})
	go server.Serve(context.Background(), listener)
	lines.Write(map[string]any{"event": "ready"})
	wait := lines.Read
	if o.stay {
		wait = lines.Stay
	}
	err = wait(func(line []byte) {
		var command struct {
			Op          string `json:"op"`
			ContainerID string `json:"container_id"`
		}
		if json.Unmarshal(line, &command) == nil && command.Op == "oom" {
			a.oom <- command.ContainerID
		}
	})
	a.killAll()
	server.Close()
	os.Remove(o.socket)
	return err
}
