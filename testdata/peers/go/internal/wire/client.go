// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Client calls one service over one connection.
type Client struct {
	service string
	writer  writer

	mutex sync.Mutex
	// last is the stream id of the last request; those of clients are odd.
	last    uint32
	pending map[uint32]Done
	err     error
}

// Done gets the payload of a reply, which is only valid during the call, or why there is none. It must not block. What it
// sends is written when all replies that have come were handled.
type Done func(payload []byte, err error)

// NewClient takes over the connection.
func NewClient(connection net.Conn, service string) *Client {
	c := &Client{service: service, writer: writer{target: connection}, pending: map[uint32]Done{}}
	go func() {
		err := readFrames(connection, c.handle, c.writer.flush)
		connection.Close()
		c.fail(fmt.Errorf("the connection ended: %w", err))
	}()
	return c
}

// Send makes a request of which head and data are the payload, without writing it: Flush does.
func (c *Client) Send(method string, head, data []byte, timeout time.Duration, done Done) {
	c.mutex.Lock()
	if err := c.err; err != nil {
		c.mutex.Unlock()
		done(nil, err)
		return
	}
	defer c.mutex.Unlock()
	id := c.last + 1
	c.last += 2
	c.pending[id] = done
	var space [128]byte
	envelope := protowire.AppendString(protowire.AppendTag(space[:0], 1, protowire.BytesType), c.service)
	envelope = protowire.AppendString(protowire.AppendTag(envelope, 2, protowire.BytesType), method)
	if timeout > 0 {
		envelope = protowire.AppendVarint(protowire.AppendTag(envelope, 4, protowire.VarintType), uint64(timeout))
	}
	envelope = appendBytesHead(envelope, 3, len(head)+len(data))
	c.writer.add(func(waiting []byte) []byte {
		return appendFrame(waiting, id, typeRequest, remoteClosed, envelope, head, data)
	})
}

// Flush writes what was sent.
func (c *Client) Flush() { c.writer.flush() }

// Call makes one request and waits for its reply; the timeout, if there is one, counts on either side.
func (c *Client) Call(method string, request []byte, timeout time.Duration) ([]byte, error) {
	type result struct {
		payload []byte
		err     error
	}
	results := make(chan result, 1)
	c.Send(method, request, nil, timeout, func(payload []byte, err error) {
		results <- result{append([]byte(nil), payload...), err}
	})
	c.Flush()
	var late <-chan time.Time
	if timeout > 0 {
		late = time.After(timeout)
	}
	select {
	case r := <-results:
		return r.payload, r.err
	case <-late:
		return nil, errors.New("deadline exceeded")
	}
}

func (c *Client) handle(id uint32, kind byte, payload []byte) error {
	if kind != typeResponse {
		return fmt.Errorf("a frame of type %d", kind)
	}
	c.mutex.Lock()
	done := c.pending[id]
	delete(c.pending, id)
	c.mutex.Unlock()
	if done == nil {
		return fmt.Errorf("a reply to stream %d, which waits for none", id)
	}
	var reply, status []byte
	err := Fields(payload, func(field protowire.Number, _ uint64, bytes []byte) {
		switch field {
		case 1:
			status = bytes
		case 2:
			reply = bytes
		}
	})
	if err == nil {
		err = statusError(status)
	}
	done(reply, err)
	return nil
}

// fail ends all calls, those that come included.
func (c *Client) fail(err error) {
	c.mutex.Lock()
	c.err = err
	pending := c.pending
	c.pending = nil
	c.mutex.Unlock()
	for _, done := range pending {
		done(nil, err)
	}
}

// statusError reads a google.rpc.Status; no status, or code 0, is no error.
func statusError(status []byte) error {
	var code uint64
	var message string
	err := Fields(status, func(field protowire.Number, number uint64, bytes []byte) {
		switch field {
		case 1:
			code = number
		case 2:
			message = string(bytes)
		}
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("code %d: %s", code, message)
	}
	return nil
}
