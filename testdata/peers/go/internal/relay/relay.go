// SPDX-License-Identifier: Apache-2.0

// Package relay serves the agent services by asking another agent, decoding and encoding each call.
package relay

import (
	"context"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/dynamicpb"

	"peerctl.test/peers/internal/schema"
)

// Edit changes a request before it goes on; an error is the answer instead.
type Edit func(ctx context.Context, method string, request *dynamicpb.Message) error

// Register serves AgentService and Health on server. All clients share the one connection that client returns.
func Register(server *ttrpc.Server, s *schema.Schema, client func(context.Context) (*ttrpc.Client, error), edit Edit) {
	for _, service := range []string{"grpc.AgentService", "grpc.Health"} {
		methods := map[string]ttrpc.Method{}
		for _, m := range s.Methods(service) {
			methods[string(m.Name())] = func(ctx context.Context, unmarshal func(any) error) (any, error) {
				in, out := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
				if err := unmarshal(in); err != nil {
					return nil, err
				}
				if err := edit(ctx, string(m.Name()), in); err != nil {
					return nil, err
				}
				upstream, err := client(ctx)
				if err != nil {
					return nil, err
				}
				return out, upstream.Call(ctx, service, string(m.Name()), in, out)
			}
		}
		server.RegisterService(service, &ttrpc.ServiceDesc{Methods: methods})
	}
}
