// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"strconv"
	"sync"

	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"peerctl.test/peers/internal/pattern"
)

// agent has the methods that the benches call; any other would be a call of nil, which ends the program.
type agent struct {
	pb.AgentServiceService
	mutex   sync.Mutex
	release chan struct{}
	// parked changes with each call that has begun to wait.
	parked  int
	changed sync.Cond
}

func newAgent() *agent {
	a := &agent{release: make(chan struct{})}
	a.changed.L = &a.mutex
	return a
}

// WriteStdin answers the sum of what it got.
func (*agent) WriteStdin(_ context.Context, in *pb.WriteStreamRequest) (*pb.WriteStreamResponse, error) {
	return &pb.WriteStreamResponse{Len: pattern.Sum(in.Data)}, nil
}

// ReadStdout answers the bytes of the seed that the exec id names.
func (*agent) ReadStdout(_ context.Context, in *pb.ReadStreamRequest) (*pb.ReadStreamResponse, error) {
	seed, err := strconv.ParseUint(in.ExecId, 10, 64)
	if err != nil {
		return nil, status.Error(codes.DataLoss, "the exec id is not the seed that was sent")
	}
	return &pb.ReadStreamResponse{Data: pattern.At(seed, int(in.Len))}, nil
}

// CopyFile refuses data that is not that of the seed in the offset.
func (*agent) CopyFile(_ context.Context, in *pb.CopyFileRequest) (*emptypb.Empty, error) {
	if in.FileSize != int64(len(in.Data)) || !bytes.Equal(in.Data, pattern.At(uint64(in.Offset), len(in.Data))) {
		return nil, status.Error(codes.DataLoss, "the data is not what was sent")
	}
	return &emptypb.Empty{}, nil
}

// WaitProcess parks until SignalProcess, and answers the sum of the exec id.
func (a *agent) WaitProcess(ctx context.Context, in *pb.WaitProcessRequest) (*pb.WaitProcessResponse, error) {
	a.mutex.Lock()
	released := a.release
	a.parked++
	a.changed.Broadcast()
	a.mutex.Unlock()
	select {
	case <-released:
		return &pb.WaitProcessResponse{Status: pattern.Status(in.ExecId)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// SignalProcess has all parked calls answered, as soon as there are as many as the signal says.
func (a *agent) SignalProcess(_ context.Context, in *pb.SignalProcessRequest) (*emptypb.Empty, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for a.parked < int(in.Signal) {
		a.changed.Wait()
	}
	a.parked = 0
	close(a.release)
	a.release = make(chan struct{})
	return &emptypb.Empty{}, nil
}

// CreateContainer refuses a container that the forwarder has not put into the pod's network.
func (*agent) CreateContainer(_ context.Context, in *pb.CreateContainerRequest) (*emptypb.Empty, error) {
	for _, namespace := range in.OCI.GetLinux().GetNamespaces() {
		if namespace.Type == "network" && namespace.Path != "" {
			return &emptypb.Empty{}, nil
		}
	}
	return nil, status.Error(codes.DataLoss, "the container has no network namespace")
}

type health struct{ pb.HealthService }

func (health) Check(context.Context, *pb.CheckRequest) (*pb.HealthCheckResponse, error) {
	return &pb.HealthCheckResponse{Status: pb.HealthCheckResponse_SERVING}, nil
}
