// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// echo is an exec of cat whose streams are held here.
type echo struct {
	in    *io.PipeWriter
	out   *bufio.Reader
	ended chan error
}

func openEcho(asked order) (*echo, error) {
	target := &url.URL{
		Scheme: "https", Host: asked.Address, Path: asked.Path, RawQuery: "command=cat&input=1&output=1",
	}
	executor, err := remotecommand.NewSPDYExecutor(&rest.Config{
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: asked.CA, CertFile: asked.Cert, KeyFile: asked.Key, ServerName: asked.ServerName,
		},
	}, http.MethodPost, target)
	if err != nil {
		return nil, err
	}
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	e := &echo{in: inWrite, out: bufio.NewReader(outRead), ended: make(chan error, 1)}
	go func() {
		err := executor.StreamWithContext(
			context.Background(), remotecommand.StreamOptions{Stdin: inRead, Stdout: outWrite})
		outWrite.CloseWithError(io.EOF)
		inRead.CloseWithError(io.ErrClosedPipe)
		e.ended <- err
	}()
	return e, nil
}

// turn sends a line and waits until it has come back.
func (e *echo) turn(number int) error {
	line := fmt.Sprintf("line %d\n", number)
	if _, err := io.WriteString(e.in, line); err != nil {
		return err
	}
	back, err := e.out.ReadString('\n')
	if err != nil {
		return err
	}
	if back != line {
		return fmt.Errorf("wrong echo: %q for %q", back, line)
	}
	return nil
}

func (e *echo) close() error {
	e.in.Close()
	return <-e.ended
}

// measureEcho sends lines to one cat, one after the other.
func measureEcho(asked order) (result, error) {
	e, err := openEcho(asked)
	if err != nil {
		return result{}, err
	}
	// The first turn also opens the stream.
	if err := e.turn(0); err != nil {
		return result{}, fmt.Errorf("%w; the stream: %w", err, e.close())
	}
	var times []time.Duration
	began := time.Now()
	for end := began.Add(time.Duration(asked.Seconds * float64(time.Second))); time.Now().Before(end); {
		sent := time.Now()
		if err := e.turn(len(times) + 1); err != nil {
			return result{}, err
		}
		times = append(times, time.Since(sent))
	}
	passed := time.Since(began)
	return summary(times, 0, passed), e.close()
}

// heldStreams are open and carry nothing.
type heldStreams struct {
	streams []*echo
}

// open holds Connections more streams, each of which has carried one line.
func (h *heldStreams) open(asked order) (result, error) {
	for i := range asked.Connections {
		e, err := openEcho(asked)
		if err != nil {
			return result{}, err
		}
		if err := e.turn(i); err != nil {
			return result{}, fmt.Errorf("%w; the stream: %w", err, e.close())
		}
		h.streams = append(h.streams, e)
	}
	return result{Count: asked.Connections}, nil
}

// drop checks that every held stream still answers, and ends it.
func (h *heldStreams) drop() (result, error) {
	count := len(h.streams)
	for i, e := range h.streams {
		if err := e.turn(i); err != nil {
			return result{}, err
		}
		if err := e.close(); err != nil {
			return result{}, err
		}
	}
	h.streams = nil
	return result{Count: count}, nil
}
