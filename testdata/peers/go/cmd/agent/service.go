// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// zeros is a container id that no real agent knows: ReadStdout of it answers just as many bytes as were asked for.
const zeros = "zeros"

type empty = emptypb.Empty

type agent struct {
	unimplemented
	dir       string
	oom       chan string
	destroyed chan struct{}

	mutex      sync.Mutex
	containers map[string]*container
}

var _ pb.AgentServiceService = (*agent)(nil)

// container holds the process it is to run and those that run, by exec id ("" is its own).
type container struct {
	spec      *pb.Process
	processes map[string]*process
}

func newAgent(dir string) *agent {
	return &agent{dir: dir, oom: make(chan string), destroyed: make(chan struct{}), containers: map[string]*container{}}
}

func (a *agent) CreateSandbox(context.Context, *pb.CreateSandboxRequest) (*empty, error) {
	return &empty{}, nil
}

func (a *agent) SetPolicy(context.Context, *pb.SetPolicyRequest) (*empty, error) {
	return &empty{}, nil
}

func (a *agent) DestroySandbox(context.Context, *pb.DestroySandboxRequest) (*empty, error) {
	a.killAll()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	select {
	case <-a.destroyed:
	default:
		close(a.destroyed)
	}
	return &empty{}, nil
}

func (a *agent) CreateContainer(_ context.Context, in *pb.CreateContainerRequest) (*empty, error) {
	if in.OCI == nil {
		return nil, status.Error(codes.InvalidArgument, "the container has no OCI spec")
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if _, ok := a.containers[in.ContainerId]; ok {
		return nil, status.Errorf(codes.AlreadyExists, "container %q exists", in.ContainerId)
	}
	a.containers[in.ContainerId] = &container{spec: in.OCI.Process, processes: map[string]*process{}}
	return &empty{}, nil
}

func (a *agent) StartContainer(_ context.Context, in *pb.StartContainerRequest) (*empty, error) {
	return &empty{}, a.start(in.ContainerId, "", nil)
}

func (a *agent) ExecProcess(_ context.Context, in *pb.ExecProcessRequest) (*empty, error) {
	return &empty{}, a.start(in.ContainerId, in.ExecId, in.Process)
}

// start runs spec in a container, or the container's own process when there is none.
func (a *agent) start(id, execID string, spec *pb.Process) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	c, ok := a.containers[id]
	if !ok {
		return status.Errorf(codes.NotFound, "no container %q", id)
	}
	if _, ok := c.processes[execID]; ok {
		return status.Errorf(codes.AlreadyExists, "process %q of container %q exists", execID, id)
	}
	if spec == nil {
		spec = c.spec
	}
	p, err := startProcess(spec.GetArgs(), spec.GetEnv(), spec.GetCwd())
	if err == nil {
		c.processes[execID] = p
	}
	return err
}

func (a *agent) RemoveContainer(_ context.Context, in *pb.RemoveContainerRequest) (*empty, error) {
	return &empty{}, a.remove(in.ContainerId)
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

func (a *agent) process(id, execID string) (*process, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if c, ok := a.containers[id]; ok {
		if p, ok := c.processes[execID]; ok {
			return p, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "no process %q in container %q", execID, id)
}

func (a *agent) SignalProcess(_ context.Context, in *pb.SignalProcessRequest) (*empty, error) {
	p, err := a.process(in.ContainerId, in.ExecId)
	if err == nil {
		p.signal(syscall.Signal(in.Signal))
	}
	return &empty{}, err
}

func (a *agent) WaitProcess(ctx context.Context, in *pb.WaitProcessRequest) (*pb.WaitProcessResponse, error) {
	p, err := a.process(in.ContainerId, in.ExecId)
	if err != nil {
		return nil, err
	}
	code, err := p.wait(ctx)
	return &pb.WaitProcessResponse{Status: code}, err
}

func (a *agent) WriteStdin(_ context.Context, in *pb.WriteStreamRequest) (*pb.WriteStreamResponse, error) {
	p, err := a.process(in.ContainerId, in.ExecId)
	if err != nil {
		return nil, err
	}
	if len(in.Data) == 0 {
		return &pb.WriteStreamResponse{}, p.stdin.Close()
	}
	n, err := p.stdin.Write(in.Data)
	return &pb.WriteStreamResponse{Len: uint32(n)}, err
}

func (a *agent) CloseStdin(_ context.Context, in *pb.CloseStdinRequest) (*empty, error) {
	p, err := a.process(in.ContainerId, in.ExecId)
	if err != nil {
		return nil, err
	}
	return &empty{}, p.stdin.Close()
}

func (a *agent) ReadStdout(ctx context.Context, in *pb.ReadStreamRequest) (*pb.ReadStreamResponse, error) {
	if in.ContainerId == zeros {
		return &pb.ReadStreamResponse{Data: make([]byte, in.Len)}, nil
	}
	p, err := a.process(in.ContainerId, in.ExecId)
	if err != nil {
		return nil, err
	}
	data, err := p.stdout.read(ctx, int(in.Len))
	return &pb.ReadStreamResponse{Data: data}, err
}

func (a *agent) ReadStderr(ctx context.Context, in *pb.ReadStreamRequest) (*pb.ReadStreamResponse, error) {
	p, err := a.process(in.ContainerId, in.ExecId)
	if err != nil {
		return nil, err
	}
	data, err := p.stderr.read(ctx, int(in.Len))
	return &pb.ReadStreamResponse{Data: data}, err
}

func (a *agent) CopyFile(_ context.Context, in *pb.CopyFileRequest) (*empty, error) {
	path := filepath.Join(a.dir, filepath.Clean("/"+in.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_, err = file.WriteAt(in.Data, in.Offset)
	return &empty{}, err
}

func (a *agent) GetOOMEvent(ctx context.Context, _ *pb.GetOOMEventRequest) (*pb.OOMEvent, error) {
	select {
	case id := <-a.oom:
		return &pb.OOMEvent{ContainerId: id}, nil
	case <-a.destroyed:
		return nil, status.Error(codes.Internal, "the sandbox is destroyed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type health struct{}

func (health) Check(context.Context, *pb.CheckRequest) (*pb.HealthCheckResponse, error) {
	return &pb.HealthCheckResponse{Status: pb.HealthCheckResponse_SERVING}, nil
}

func (health) Version(context.Context, *pb.CheckRequest) (*pb.VersionCheckResponse, error) {
	return &pb.VersionCheckResponse{AgentVersion: "go-peer"}, nil
}
