// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"reflect"

	"github.com/containerd/ttrpc"
	hypervisor "github.com/kata-containers/kata-containers/src/runtime/protocols/hypervisor"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"peerctl.test/peers/internal/podvminfo"
)

// call goes over a connection of its own to the hypervisor socket, or over the one that is held to the agent.
func (s *shim) call(ctx context.Context, service, method string, request []byte) (json.RawMessage, error) {
	switch service {
	case "grpc.AgentService", "grpc.Health":
		held, err := s.agentClient()
		if err != nil {
			return nil, err
		}
		if service == "grpc.Health" {
			return invoke(ctx, held.health, method, request)
		}
		return invoke(ctx, held.agent, method, request)
	case "hypervisor.Hypervisor", podvminfo.Service:
		connection, err := net.Dial("unix", s.hypervisor)
		if err != nil {
			return nil, err
		}
		client := ttrpc.NewClient(connection)
		defer client.Close()
		if service == podvminfo.Service {
			return getInfo(ctx, client, request)
		}
		return invoke(ctx, hypervisor.NewHypervisorClient(client), method, request)
	}
	return nil, fmt.Errorf("unknown service %q", service)
}

// invoke calls a method of one of kata's generated clients by name, with a request read from JSON.
func invoke(ctx context.Context, client any, method string, request []byte) (json.RawMessage, error) {
	function := reflect.ValueOf(client).MethodByName(method)
	if !function.IsValid() {
		return nil, fmt.Errorf("kata's client has no method %q", method)
	}
	in := reflect.New(function.Type().In(1).Elem())
	if err := unmarshal(request, in.Interface().(proto.Message)); err != nil {
		return nil, err
	}
	results := function.Call([]reflect.Value{reflect.ValueOf(ctx), in})
	if err, _ := results[1].Interface().(error); err != nil {
		return nil, err
	}
	return marshal(results[0].Interface().(proto.Message))
}

func getInfo(ctx context.Context, client *ttrpc.Client, request []byte) (json.RawMessage, error) {
	in := podvminfo.NewRequest()
	if err := unmarshal(request, in); err != nil {
		return nil, err
	}
	out, err := podvminfo.GetInfo(ctx, client, in)
	if err != nil {
		return nil, err
	}
	return marshal(out)
}

func unmarshal(request []byte, in proto.Message) error {
	if len(request) == 0 {
		return nil
	}
	return protojson.Unmarshal(request, in)
}

// marshal writes the field names of the .proto files.
func marshal(out proto.Message) (json.RawMessage, error) {
	return protojson.MarshalOptions{UseProtoNames: true}.Marshal(out)
}
