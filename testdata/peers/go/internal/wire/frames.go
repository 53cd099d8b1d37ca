// SPDX-License-Identifier: Apache-2.0

// Package wire speaks TTRPC with as little work as possible: nothing is copied that need not be, and what is ready at
// the same time is written together. The ends of a bench must not cost more than what is measured between them.
package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	headerBytes = 10
	// maxPayload is TTRPC's limit for the payload of a frame, in bytes.
	maxPayload = 4 << 20

	typeRequest  = 1
	typeResponse = 2
	// remoteClosed says that the client sends no more on this stream.
	remoteClosed = 1

	// readBytes is what is read at once, if it is there.
	readBytes = 256 << 10
)

// readFrames calls handle with each frame until reader ends, and idle whenever all that has come was handled. The payload
// is only valid during the call.
func readFrames(reader io.Reader, handle func(id uint32, kind byte, payload []byte) error, idle func() error) error {
	buffer := make([]byte, readBytes)
	begin, end := 0, 0
	for {
		need := headerBytes
		for end-begin >= headerBytes {
			header := buffer[begin:]
			length := int(binary.BigEndian.Uint32(header))
			if length > maxPayload {
				return fmt.Errorf("a frame of %d bytes", length)
			}
			need = headerBytes + length
			if end-begin < need {
				break
			}
			if err := handle(binary.BigEndian.Uint32(header[4:]), header[8], header[headerBytes:need]); err != nil {
				return err
			}
			begin += need
			need = headerBytes
		}
		if err := idle(); err != nil {
			return err
		}
		end = copy(buffer, buffer[begin:end])
		begin = 0
		if need > len(buffer) {
			buffer = append(make([]byte, 0, need), buffer[:end]...)[:need]
		}
		n, err := reader.Read(buffer[end:])
		end += n
		if err == io.EOF && end > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
}

// appendFrame appends a frame whose payload is the three parts.
func appendFrame(out []byte, id uint32, kind, flags byte, envelope, head, data []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(envelope)+len(head)+len(data)))
	out = binary.BigEndian.AppendUint32(out, id)
	out = append(out, kind, flags)
	out = append(out, envelope...)
	out = append(out, head...)
	return append(out, data...)
}

// Fields calls handle with each field of a message: number for varints, bytes for what has a length.
func Fields(message []byte, handle func(field protowire.Number, number uint64, bytes []byte)) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var number uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		handle(field, number, bytes)
	}
	return nil
}

// appendBytesHead appends the beginning of a field whose bytes follow.
func appendBytesHead(out []byte, field protowire.Number, length int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(out, field, protowire.BytesType), uint64(length))
}
