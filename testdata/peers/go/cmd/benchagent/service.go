// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strconv"
	"sync"

	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"peerctl.test/peers/internal/pattern"
	"peerctl.test/peers/internal/wire"
)

// agent has the methods that the benches call. Those that carry data are read and written field by field, so that the
// data is copied once.
type agent struct {
	mutex  sync.Mutex
	parked []parkedCall
	// signal answers all that are parked, as soon as they are as many as signalCount.
	signal      *wire.Request
	signalCount int
}

type parkedCall struct {
	*wire.Request
	execID string
}

func (a *agent) handle(request *wire.Request) {
	switch request.Service + "/" + request.Method {
	case "grpc.AgentService/WriteStdin":
		writeStdin(request)
	case "grpc.AgentService/ReadStdout":
		readStdout(request)
	case "grpc.AgentService/CopyFile":
		copyFile(request)
	case "grpc.AgentService/WaitProcess":
		a.waitProcess(request)
	case "grpc.AgentService/SignalProcess":
		a.signalProcess(request)
	case "grpc.AgentService/CreateContainer":
		createContainer(request)
	case "grpc.Health/Check":
		replyNumber(request, uint64(pb.HealthCheckResponse_SERVING))
	default:
		request.Refuse(codes.Unimplemented, "the agent of the benches has no "+request.Service+"/"+request.Method)
	}
}

// writeStdin answers the sum of what it got.
func writeStdin(request *wire.Request) {
	var data []byte
	if fields(request, func(field protowire.Number, _ uint64, bytes []byte) {
		if field == 3 {
			data = bytes
		}
	}) {
		replyNumber(request, uint64(pattern.Sum(data)))
	}
}

// readStdout answers the bytes of the seed that the exec id names.
func readStdout(request *wire.Request) {
	var id string
	var size uint64
	if !fields(request, func(field protowire.Number, number uint64, bytes []byte) {
		switch field {
		case 2:
			id = string(bytes)
		case 3:
			size = number
		}
	}) {
		return
	}
	seed, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		request.Refuse(codes.DataLoss, "the exec id is not the seed that was sent")
		return
	}
	head := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), size)
	request.Reply(head, pattern.At(seed, int(size)))
}

// copyFile refuses data that is not that of the seed in the offset.
func copyFile(request *wire.Request) {
	var size, seed uint64
	var data []byte
	if !fields(request, func(field protowire.Number, number uint64, bytes []byte) {
		switch field {
		case 2:
			size = number
		case 7:
			seed = number
		case 8:
			data = bytes
		}
	}) {
		return
	}
	if size != uint64(len(data)) || !bytes.Equal(data, pattern.At(seed, len(data))) {
		request.Refuse(codes.DataLoss, "the data is not what was sent")
		return
	}
	request.Reply(nil, nil)
}

// waitProcess parks until signalProcess, and answers the sum of the exec id.
func (a *agent) waitProcess(request *wire.Request) {
	var in pb.WaitProcessRequest
	if !unmarshal(request, &in) {
		return
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.parked = append(a.parked, parkedCall{request, in.ExecId})
	a.release()
}

// signalProcess has all parked calls answered, as soon as there are as many as the signal says.
func (a *agent) signalProcess(request *wire.Request) {
	var in pb.SignalProcessRequest
	if !unmarshal(request, &in) {
		return
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.signal, a.signalCount = request, int(in.Signal)
	a.release()
}

func (a *agent) release() {
	if a.signal == nil || len(a.parked) < a.signalCount {
		return
	}
	a.signal.Reply(nil, nil)
	a.signal.Flush()
	for _, call := range a.parked {
		replyNumber(call.Request, uint64(pattern.Status(call.execID)))
		call.Flush()
	}
	a.parked, a.signal = nil, nil
}

// createContainer refuses a container that the forwarder has not put into the pod's network.
func createContainer(request *wire.Request) {
	var in pb.CreateContainerRequest
	if !unmarshal(request, &in) {
		return
	}
	for _, namespace := range in.OCI.GetLinux().GetNamespaces() {
		if namespace.Type == "network" && namespace.Path != "" {
			request.Reply(nil, nil)
			return
		}
	}
	request.Refuse(codes.DataLoss, "the container has no network namespace")
}

// replyNumber answers a message whose first field is a number, which is all that these replies have.
func replyNumber(request *wire.Request, number uint64) {
	request.Reply(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), number), nil)
}

// fields is wire.Fields for a request, which is refused when it is no message.
func fields(request *wire.Request, handle func(field protowire.Number, number uint64, bytes []byte)) bool {
	return isRead(request, wire.Fields(request.Payload, handle))
}

func unmarshal(request *wire.Request, message proto.Message) bool {
	return isRead(request, proto.Unmarshal(request.Payload, message))
}

func isRead(request *wire.Request, err error) bool {
	if err != nil {
		request.Refuse(codes.DataLoss, "the request is no message: "+err.Error())
	}
	return err == nil
}
