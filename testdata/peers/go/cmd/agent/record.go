// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"path"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"peerctl.test/peers/internal/lines"
)

// record writes each request as it was decoded, before it is served.
func record(ctx context.Context, decode ttrpc.Unmarshaler, call *ttrpc.UnaryServerInfo, serve ttrpc.Method) (any, error) {
	return serve(ctx, func(request any) error {
		err := decode(request)
		if err == nil {
			service, method := path.Split(call.FullMethod)
			writeRequest(path.Base(service), method, request.(proto.Message))
		}
		return err
	})
}

// writeRequest shows only the length of a data field, so that lines stay short.
func writeRequest(service, method string, request proto.Message) {
	line := map[string]any{"event": "request", "service": service, "method": method}
	if data := request.ProtoReflect().Descriptor().Fields().ByName("data"); data != nil {
		line["data_length"] = len(request.ProtoReflect().Get(data).Bytes())
		request = proto.Clone(request)
		request.ProtoReflect().Clear(data)
	}
	encoded, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(request)
	if err != nil {
		panic(err)
	}
	line["request"] = json.RawMessage(encoded)
	line["unknown_bytes"] = len(request.ProtoReflect().GetUnknown())
	lines.Write(line)
}
