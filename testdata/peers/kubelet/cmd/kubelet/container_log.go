// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"sync"
)

// containerLog is one growing log that every container shows; readers may wait for more.
type containerLog struct {
	mu    sync.Mutex
	text  []byte
	grown chan struct{}
}

func newContainerLog() *containerLog {
	return &containerLog{grown: make(chan struct{})}
}

func (l *containerLog) append(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, text...)
	close(l.grown)
	l.grown = make(chan struct{})
}

// copyTo writes the log from its beginning; with follow also what comes, until ctx ends.
func (l *containerLog) copyTo(ctx context.Context, w io.Writer, flush func(), follow bool) {
	for at := 0; ; {
		l.mu.Lock()
		more, grown := l.text[at:], l.grown
		l.mu.Unlock()
		if _, err := w.Write(more); err != nil {
			return
		}
		flush()
		at += len(more)
		if !follow {
			return
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return
		}
	}
}
