// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"peerctl.test/peers/internal/pattern"
	"peerctl.test/peers/internal/wire"
)

// targetPath is the annotation by which a forwarder waits for a mount.
const targetPath = "io.confidentialcontainers.org.peerpodvolumes.target_path"

// load is one held connection, as a kata shim has it, and many others that are only checked.
type load struct {
	gate   *pattern.Gate
	client *wire.Client
	seed   atomic.Uint64

	parked  sync.WaitGroup
	waiting atomic.Int64
	wrong   atomic.Int64

	idle []pb.HealthService
}

func (l *load) dial(socket string) error {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	l.gate = &pattern.Gate{Conn: connection}
	l.client = wire.NewClient(l.gate, "grpc.AgentService")
	return nil
}

func (l *load) count() answer {
	return answer{"read": l.gate.In.Value(), "written": l.gate.Out.Value()}
}

// send makes one call; done gets nil for the right reply. What it writes are the kata messages of the call, field by field,
// so that the data is copied once.
func (l *load) send(kind string, size int, done func(error)) {
	seed := l.seed.Add(1)
	data := pattern.At(seed, size)
	switch kind {
	case "unary":
		sum := pattern.Sum(data)
		head := textField(nil, 1, "bench")
		head = dataField(head, 3, size)
		l.client.Send("WriteStdin", head, data, 0, func(payload []byte, err error) {
			if err == nil && uint32(numberIn(payload, 1)) != sum {
				err = errors.New("a reply has the wrong sum")
			}
			done(err)
		})
	case "read":
		head := textField(nil, 1, "bench")
		head = textField(head, 2, strconv.FormatUint(seed, 10))
		head = numberField(head, 3, uint64(size))
		l.client.Send("ReadStdout", head, nil, 0, func(payload []byte, err error) {
			if err == nil && !bytes.Equal(bytesIn(payload, 1), data) {
				err = errors.New("a reply has the wrong bytes")
			}
			done(err)
		})
	case "copy":
		head := textField(nil, 1, "bench")
		head = numberField(head, 2, uint64(size))
		head = numberField(head, 7, seed)
		head = dataField(head, 8, size)
		l.client.Send("CopyFile", head, data, 0, func(_ []byte, err error) { done(err) })
	default:
		done(fmt.Errorf("no call %q", kind))
	}
}

func textField(out []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(out, field, protowire.BytesType), text)
}

func numberField(out []byte, field protowire.Number, number uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(out, field, protowire.VarintType), number)
}

// dataField begins a field of bytes that follow.
func dataField(out []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(out, field, protowire.BytesType), uint64(size))
}

func numberIn(message []byte, wanted protowire.Number) (found uint64) {
	wire.Fields(message, func(field protowire.Number, number uint64, _ []byte) {
		if field == wanted {
			found = number
		}
	})
	return found
}

func bytesIn(message []byte, wanted protowire.Number) (found []byte) {
	wire.Fields(message, func(field protowire.Number, _ uint64, bytes []byte) {
		if field == wanted {
			found = bytes
		}
	})
	return found
}

// run keeps in_flight calls going for the time or the number asked for; the first wrong reply ends it.
func (l *load) run(c command) (answer, error) {
	all := make([][]time.Duration, c.InFlight)
	var begun atomic.Int64
	var failure atomic.Pointer[error]
	var calls sync.WaitGroup
	start := time.Now()
	end := start.Add(time.Duration(c.Seconds * float64(time.Second)))
	isOver := func(now time.Time) bool {
		if c.Calls > 0 {
			return begun.Add(1) > int64(c.Calls)
		}
		return !now.Before(end)
	}
	calls.Add(c.InFlight)
	for i := range all {
		var next func()
		next = func() {
			before := time.Now()
			if failure.Load() != nil || isOver(before) {
				calls.Done()
				return
			}
			l.send(c.Call, c.Bytes, func(err error) {
				if err != nil {
					err = fmt.Errorf("%s of %d bytes: %w", c.Call, c.Bytes, err)
					failure.CompareAndSwap(nil, &err)
					calls.Done()
					return
				}
				all[i] = append(all[i], time.Since(before))
				next()
			})
		}
		next()
	}
	l.client.Flush()
	calls.Wait()
	elapsed := time.Since(start)
	if err := failure.Load(); err != nil {
		return nil, *err
	}
	times := sorted(all)
	return answer{
		"calls": len(times), "seconds": elapsed.Seconds(), "bytes": len(times) * c.Bytes,
		"p50_us": micros(times, 0.50), "p99_us": micros(times, 0.99),
	}, nil
}

// park starts calls that are not answered before releaseAll.
func (l *load) park(count int) {
	for range count {
		l.parked.Add(1)
		l.waiting.Add(1)
		id := strconv.FormatUint(l.seed.Add(1), 10)
		head := textField(textField(nil, 1, "bench"), 2, id)
		l.client.Send("WaitProcess", head, nil, 0, func(payload []byte, err error) {
			if err != nil || int32(numberIn(payload, 1)) != pattern.Status(id) {
				l.wrong.Add(1)
			}
			l.waiting.Add(-1)
			l.parked.Done()
		})
	}
	l.client.Flush()
}

// releaseAll has all parked calls answered; one that was answered before is wrong, too.
func (l *load) releaseAll() (answer, error) {
	early := l.waiting.Load()
	if _, err := l.call("SignalProcess", &pb.SignalProcessRequest{ContainerId: "bench", Signal: uint32(early)}, 0); err != nil {
		return nil, err
	}
	l.parked.Wait()
	if wrong := l.wrong.Swap(0); wrong > 0 {
		return nil, fmt.Errorf("%d parked calls got wrong replies", wrong)
	}
	return answer{"calls": early}, nil
}

// holdContainer creates a container that waits in the forwarder for a mount; with a path that is never mounted the
// call has to end by its own time.
func (l *load) holdContainer(c command) error {
	_, err := l.call("CreateContainer", &pb.CreateContainerRequest{
		ContainerId: strconv.FormatUint(l.seed.Add(1), 10),
		Storages:    []*pb.Storage{{Driver: "image_guest_pull"}},
		OCI: &pb.Spec{
			Process:     &pb.Process{Args: []string{"/bin/true"}},
			Linux:       &pb.Linux{},
			Annotations: map[string]string{targetPath: c.Path},
		},
	}, time.Duration(c.Seconds*float64(time.Second)))
	return err
}

func (l *load) call(method string, request proto.Message, timeout time.Duration) ([]byte, error) {
	payload, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	return l.client.Call(method, payload, timeout)
}
