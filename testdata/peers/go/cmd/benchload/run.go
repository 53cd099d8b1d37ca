// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/ttrpc"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"

	"peerctl.test/peers/internal/pattern"
)

// targetPath is the annotation by which a forwarder waits for a mount.
const targetPath = "io.confidentialcontainers.org.peerpodvolumes.target_path"

// load is one held connection, as a kata shim has it, and many others that are only checked.
type load struct {
	gate  *pattern.Gate
	agent pb.AgentServiceService
	seed  atomic.Uint64

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
	l.agent = pb.NewAgentServiceClient(ttrpc.NewClient(l.gate))
	return nil
}

func (l *load) count() answer {
	return answer{"read": l.gate.In.Value(), "written": l.gate.Out.Value()}
}

// call makes one call and says whether the reply is the right one.
func (l *load) call(ctx context.Context, kind string, size int) error {
	seed := l.seed.Add(1)
	switch kind {
	case "unary":
		data := pattern.At(seed, size)
		reply, err := l.agent.WriteStdin(ctx, &pb.WriteStreamRequest{ContainerId: "bench", Data: data})
		if err == nil && reply.Len != pattern.Sum(data) {
			err = errors.New("a reply has the wrong sum")
		}
		return err
	case "read":
		request := &pb.ReadStreamRequest{ContainerId: "bench", ExecId: strconv.FormatUint(seed, 10), Len: uint32(size)}
		reply, err := l.agent.ReadStdout(ctx, request)
		if err == nil && !bytes.Equal(reply.Data, pattern.At(seed, size)) {
			err = errors.New("a reply has the wrong bytes")
		}
		return err
	case "copy":
		data := pattern.At(seed, size)
		request := &pb.CopyFileRequest{Path: "bench", FileSize: int64(size), Offset: int64(seed), Data: data}
		_, err := l.agent.CopyFile(ctx, request)
		return err
	}
	return fmt.Errorf("no call %q", kind)
}

// run keeps in_flight calls going for the time or the number asked for; the first wrong reply ends it.
func (l *load) run(c command) (answer, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	all := make([][]time.Duration, c.InFlight)
	var begun atomic.Int64
	var workers sync.WaitGroup
	start := time.Now()
	end := start.Add(time.Duration(c.Seconds * float64(time.Second)))
	for i := range all {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for ctx.Err() == nil {
				if c.Calls > 0 && begun.Add(1) > int64(c.Calls) {
					return
				}
				before := time.Now()
				if c.Calls == 0 && !before.Before(end) {
					return
				}
				if err := l.call(ctx, c.Call, c.Bytes); err != nil {
					cancel(fmt.Errorf("%s of %d bytes: %w", c.Call, c.Bytes, err))
					return
				}
				all[i] = append(all[i], time.Since(before))
			}
		}()
	}
	workers.Wait()
	elapsed := time.Since(start)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	times := sorted(all)
	return answer{
		"calls": len(times), "seconds": elapsed.Seconds(), "bytes": len(times) * c.Bytes,
		"p50_us": micros(times, 0.50), "p99_us": micros(times, 0.99),
	}, nil
}

// park starts calls that are not answered before releaseAll.
func (l *load) park(count int) error {
	for range count {
		l.parked.Add(1)
		l.waiting.Add(1)
		id := strconv.FormatUint(l.seed.Add(1), 10)
		go func() {
			defer l.parked.Done()
			reply, err := l.agent.WaitProcess(context.Background(), &pb.WaitProcessRequest{ContainerId: "bench", ExecId: id})
			if err != nil || reply.Status != pattern.Status(id) {
				l.wrong.Add(1)
			}
			l.waiting.Add(-1)
		}()
	}
	return nil
}

// releaseAll has all parked calls answered; one that was answered before is wrong, too.
func (l *load) releaseAll() (answer, error) {
	early := l.waiting.Load()
	if _, err := l.agent.SignalProcess(context.Background(), &pb.SignalProcessRequest{ContainerId: "bench", Signal: uint32(early)}); err != nil {
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.Seconds*float64(time.Second)))
	defer cancel()
	_, err := l.agent.CreateContainer(ctx, &pb.CreateContainerRequest{
		ContainerId: strconv.FormatUint(l.seed.Add(1), 10),
		Storages:    []*pb.Storage{{Driver: "image_guest_pull"}},
		OCI: &pb.Spec{
			Process:     &pb.Process{Args: []string{"/bin/true"}},
			Linux:       &pb.Linux{},
			Annotations: map[string]string{targetPath: c.Path},
		},
	})
	return err
}
