// SPDX-License-Identifier: Apache-2.0

// Package hop serves the agent services by asking another agent through kata's generated clients, so that each call is
// decoded and encoded again.
package hop

import (
	"context"
	"sync"

	"github.com/containerd/ttrpc"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Edits change requests before they go on, or refuse them; a nil one changes nothing.
type Edits struct {
	CreateContainer func(context.Context, *pb.CreateContainerRequest) error
	CreateSandbox   func(*pb.CreateSandboxRequest)
}

// NewServer makes a server of AgentService and Health. All its clients share one connection, which the first call opens
// with connect; it is never opened again, not even after connect failed.
func NewServer(connect func() (*ttrpc.Client, error), edits Edits) (*ttrpc.Server, error) {
	a, h := &agent{edits: edits}, &health{}
	open := sync.OnceValue(func() error {
		client, err := connect()
		if err == nil {
			a.AgentServiceService, h.HealthService = pb.NewAgentServiceClient(client), pb.NewHealthClient(client)
		}
		return err
	})
	server, err := ttrpc.NewServer(ttrpc.WithUnaryServerInterceptor(
		func(ctx context.Context, decode ttrpc.Unmarshaler, _ *ttrpc.UnaryServerInfo, call ttrpc.Method) (any, error) {
			if err := open(); err != nil {
				return nil, err
			}
			return call(ctx, decode)
		},
	))
	if err != nil {
		return nil, err
	}
	pb.RegisterAgentServiceService(server, a)
	pb.RegisterHealthService(server, h)
	return server, nil
}

// agent is the next agent's client, but for what is edited on the way.
type agent struct {
	pb.AgentServiceService
	edits Edits
}

type health struct{ pb.HealthService }

func (a *agent) CreateContainer(ctx context.Context, in *pb.CreateContainerRequest) (*emptypb.Empty, error) {
	if a.edits.CreateContainer != nil {
		if err := a.edits.CreateContainer(ctx, in); err != nil {
			return nil, err
		}
	}
	return a.AgentServiceService.CreateContainer(ctx, in)
}

func (a *agent) CreateSandbox(ctx context.Context, in *pb.CreateSandboxRequest) (*emptypb.Empty, error) {
	if a.edits.CreateSandbox != nil {
		a.edits.CreateSandbox(in)
	}
	return a.AgentServiceService.CreateSandbox(ctx, in)
}
