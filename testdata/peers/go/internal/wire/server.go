// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// Request is one call of a client; its Payload is only valid until the handler returns.
type Request struct {
	Service, Method string
	Payload         []byte

	id     uint32
	writer *writer
}

// Reply answers with head and data as payload, at the latest when all requests that have come were handled.
func (r *Request) Reply(head, data []byte) {
	var envelope []byte
	if size := len(head) + len(data); size > 0 {
		envelope = appendBytesHead(nil, 2, size)
	}
	r.answer(envelope, head, data)
}

// Refuse answers with a status.
func (r *Request) Refuse(code codes.Code, message string) {
	status := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(code))
	status = protowire.AppendString(protowire.AppendTag(status, 2, protowire.BytesType), message)
	r.answer(appendBytesHead(nil, 1, len(status)), status, nil)
}

func (r *Request) answer(envelope, head, data []byte) {
	r.writer.add(func(waiting []byte) []byte {
		return appendFrame(waiting, r.id, typeResponse, 0, envelope, head, data)
	})
}

// Flush writes an answer that was given after the handler had returned.
func (r *Request) Flush() { r.writer.flush() }

// Serve hands each request to handle, one after the other, until the client goes.
func Serve(connection net.Conn, handle func(*Request)) {
	defer connection.Close()
	w := &writer{target: connection}
	readFrames(connection, func(id uint32, kind byte, payload []byte) error {
		if kind != typeRequest {
			return fmt.Errorf("a frame of type %d", kind)
		}
		request := &Request{id: id, writer: w}
		err := Fields(payload, func(field protowire.Number, _ uint64, bytes []byte) {
			switch field {
			case 1:
				request.Service = string(bytes)
			case 2:
				request.Method = string(bytes)
			case 3:
				request.Payload = bytes
			}
		})
		if err != nil {
			return err
		}
		handle(request)
		return nil
	}, w.flush)
}
