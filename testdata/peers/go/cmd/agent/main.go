// SPDX-License-Identifier: Apache-2.0

// Command agent serves AgentService and Health with containerd/ttrpc on a unix socket, really runs what a container's
// process says, and writes each request to stdout as one JSON line. {"op":"oom","container_id":…} on stdin answers one
// parked GetOOMEvent; the end of stdin ends the program.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"peerctl.test/peers/internal/lines"
	"peerctl.test/peers/internal/schema"
)

type agent struct {
	dir        string
	oom        chan string
	mutex      sync.Mutex
	containers map[string]*container
	destroyed  chan struct{}
}

// container holds the process it is to run and those that run, by exec id ("" is its own).
type container struct {
	args, env []string
	cwd       string
	processes map[string]*process
}

func main() {
	socket := flag.String("socket", "", "unix socket to serve")
	dir := flag.String("dir", "", "where CopyFile puts files")
	flag.Parse()
	if err := run(*socket, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func run(socket, dir string) error {
	s, err := schema.Load()
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	a := &agent{dir: dir, oom: make(chan string), containers: map[string]*container{}, destroyed: make(chan struct{})}
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	for _, service := range []string{"grpc.AgentService", "grpc.Health"} {
		methods := map[string]ttrpc.Method{}
		for _, m := range s.Methods(service) {
			if handler, ok := handlers[string(m.Name())]; ok {
				methods[string(m.Name())] = a.method(service, m, handler)
			}
		}
		server.RegisterService(service, &ttrpc.ServiceDesc{Methods: methods})
	}
	go server.Serve(context.Background(), listener)
	lines.Write(map[string]any{"event": "ready"})
	err = lines.Read(func(line []byte) {
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
	os.Remove(socket)
	return err
}

type handler func(a *agent, ctx context.Context, in, out *dynamicpb.Message) error

func (a *agent) method(service string, m protoreflect.MethodDescriptor, handle handler) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(any) error) (any, error) {
		in, out := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
		if err := unmarshal(in); err != nil {
			return nil, err
		}
		record(service, string(m.Name()), in)
		return out, handle(a, ctx, in, out)
	}
}

// record writes the request; of a data field only its length, so that lines stay short.
func record(service, method string, in *dynamicpb.Message) {
	line := map[string]any{"event": "request", "service": service, "method": method}
	shown := in
	if data := in.Descriptor().Fields().ByName("data"); data != nil {
		line["data_length"] = len(in.Get(data).Bytes())
		shown = dynamicpb.NewMessage(in.Descriptor())
		in.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			if field != data {
				shown.Set(field, value)
			}
			return true
		})
	}
	request, err := schema.JSON(shown)
	if err != nil {
		panic(err)
	}
	line["request"] = json.RawMessage(request)
	line["unknown_bytes"] = len(in.GetUnknown())
	lines.Write(line)
}

var handlers = map[string]handler{
	"CreateContainer": createContainer,
	"StartContainer":  startContainer,
	"RemoveContainer": func(a *agent, _ context.Context, in, _ *dynamicpb.Message) error {
		return a.remove(schema.String(in, "container_id"))
	},
	"ExecProcess":   execProcess,
	"SignalProcess": signalProcess,
	"WaitProcess": func(a *agent, ctx context.Context, in, out *dynamicpb.Message) error {
		p, err := a.process(in)
		if err != nil {
			return err
		}
		code, err := p.wait(ctx)
		schema.Set(out, "status", code)
		return err
	},
	"WriteStdin": func(a *agent, _ context.Context, in, out *dynamicpb.Message) error {
		p, err := a.process(in)
		if err != nil {
			return err
		}
		data := schema.Field(in, "data").Bytes()
		if len(data) == 0 {
			return p.stdin.Close()
		}
		n, err := p.stdin.Write(data)
		schema.Set(out, "len", uint32(n))
		return err
	},
	"ReadStdout": readStream(func(p *process) *output { return p.stdout }),
	"ReadStderr": readStream(func(p *process) *output { return p.stderr }),
	"CloseStdin": func(a *agent, _ context.Context, in, _ *dynamicpb.Message) error {
		p, err := a.process(in)
		if err != nil {
			return err
		}
		return p.stdin.Close()
	},
	"CreateSandbox": nothing,
	"SetPolicy":     nothing,
	"DestroySandbox": func(a *agent, _ context.Context, _, _ *dynamicpb.Message) error {
		a.killAll()
		a.mutex.Lock()
		defer a.mutex.Unlock()
		select {
		case <-a.destroyed:
		default:
			close(a.destroyed)
		}
		return nil
	},
	"CopyFile": copyFile,
	"GetOOMEvent": func(a *agent, ctx context.Context, _, out *dynamicpb.Message) error {
		select {
		case id := <-a.oom:
			schema.Set(out, "container_id", id)
			return nil
		case <-a.destroyed:
			return status.Error(codes.Internal, "the sandbox is destroyed")
		case <-ctx.Done():
			return ctx.Err()
		}
	},
	// Not what a real agent does: log_type is the number of bytes to answer with, for tests of large replies.
	"GetDiagnosticData": func(_ *agent, _ context.Context, in, out *dynamicpb.Message) error {
		var size int
		if _, err := fmt.Sscan(schema.String(in, "log_type"), &size); err != nil {
			return status.Error(codes.InvalidArgument, "log_type is not a number of bytes")
		}
		schema.Set(out, "data", strings.Repeat("d", size))
		return nil
	},
	"Check": func(_ *agent, _ context.Context, _, out *dynamicpb.Message) error {
		schema.Set(out, "status", protoreflect.EnumNumber(1))
		return nil
	},
	"Version": func(_ *agent, _ context.Context, _, out *dynamicpb.Message) error {
		schema.Set(out, "agent_version", "go-peer")
		return nil
	},
}

func nothing(*agent, context.Context, *dynamicpb.Message, *dynamicpb.Message) error { return nil }

func createContainer(a *agent, _ context.Context, in, _ *dynamicpb.Message) error {
	oci := schema.Field(in, "OCI").Message()
	if !oci.IsValid() {
		return status.Error(codes.InvalidArgument, "the container has no OCI spec")
	}
	args, env, cwd := processOf(schema.Field(oci, "Process").Message())
	a.mutex.Lock()
	defer a.mutex.Unlock()
	id := schema.String(in, "container_id")
	if _, ok := a.containers[id]; ok {
		return status.Errorf(codes.AlreadyExists, "container %q exists", id)
	}
	a.containers[id] = &container{args: args, env: env, cwd: cwd, processes: map[string]*process{}}
	return nil
}

func startContainer(a *agent, _ context.Context, in, _ *dynamicpb.Message) error {
	return a.start(schema.String(in, "container_id"), "", nil)
}

func execProcess(a *agent, _ context.Context, in, _ *dynamicpb.Message) error {
	return a.start(schema.String(in, "container_id"), schema.String(in, "exec_id"), schema.Field(in, "process").Message())
}

func (a *agent) start(id, execID string, spec protoreflect.Message) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	c, ok := a.containers[id]
	if !ok {
		return status.Errorf(codes.NotFound, "no container %q", id)
	}
	if _, ok := c.processes[execID]; ok {
		return status.Errorf(codes.AlreadyExists, "process %q of container %q exists", execID, id)
	}
	args, env, cwd := c.args, c.env, c.cwd
	if spec != nil {
		args, env, cwd = processOf(spec)
	}
	p, err := startProcess(args, env, cwd)
	if err == nil {
		c.processes[execID] = p
	}
	return err
}

func signalProcess(a *agent, _ context.Context, in, _ *dynamicpb.Message) error {
	p, err := a.process(in)
	if err == nil {
		p.signal(syscall.Signal(schema.Field(in, "signal").Uint()))
	}
	return err
}

func readStream(pick func(*process) *output) handler {
	return func(a *agent, ctx context.Context, in, out *dynamicpb.Message) error {
		p, err := a.process(in)
		if err != nil {
			return err
		}
		data, err := pick(p).read(ctx, int(schema.Field(in, "len").Uint()))
		schema.Set(out, "data", data)
		return err
	}
}

func copyFile(a *agent, _ context.Context, in, _ *dynamicpb.Message) error {
	path := filepath.Join(a.dir, filepath.Clean("/"+schema.String(in, "path")))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(schema.Field(in, "data").Bytes(), schema.Field(in, "offset").Int())
	return err
}

func (a *agent) process(in *dynamicpb.Message) (*process, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	id, execID := schema.String(in, "container_id"), schema.String(in, "exec_id")
	if c, ok := a.containers[id]; ok {
		if p, ok := c.processes[execID]; ok {
			return p, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "no process %q in container %q", execID, id)
}

func (a *agent) remove(id string) error {
	a.mutex.Lock()
	c, ok := a.containers[id]
	delete(a.containers, id)
	a.mutex.Unlock()
	if !ok {
		return status.Errorf(codes.NotFound, "no container %q", id)
	}
	for _, p := range c.processes {
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
	return nil
}

func (a *agent) killAll() {
	a.mutex.Lock()
	ids := []string{}
	for id := range a.containers {
		ids = append(ids, id)
	}
	a.mutex.Unlock()
	for _, id := range ids {
		a.remove(id)
	}
}

func processOf(spec protoreflect.Message) (args, env []string, cwd string) {
	return schema.Strings(spec, "Args"), schema.Strings(spec, "Env"), schema.String(spec, "Cwd")
}
