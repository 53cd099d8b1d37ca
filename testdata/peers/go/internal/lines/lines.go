// SPDX-License-Identifier: Apache-2.0

// Package lines speaks JSON lines with the test that started a peer.
package lines

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// maxLine is the longest command accepted, in bytes: a 4 MiB payload in base64 with room to spare.
const maxLine = 16 << 20

var (
	mutex  sync.Mutex
	target io.Writer = os.Stdout
)

// Record appends what Write writes to a file too, which is made readable for its owner alone.
func Record(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	mutex.Lock()
	defer mutex.Unlock()
	target = io.MultiWriter(file, os.Stdout)
	return nil
}

// Write puts one object on stdout; lines of concurrent calls never mix.
func Write(object any) {
	encoded, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	mutex.Lock()
	defer mutex.Unlock()
	target.Write(append(encoded, '\n'))
}

// Read calls handle with each line of stdin, in order, and returns when stdin ends: the test is gone then.
func Read(handle func(line []byte)) error {
	reader := bufio.NewScanner(os.Stdin)
	reader.Buffer(make([]byte, 64<<10), maxLine)
	for reader.Scan() {
		handle(append([]byte(nil), reader.Bytes()...))
	}
	return reader.Err()
}

// Stay calls handle like Read, but returns only at SIGTERM, for a program whose stdin nobody holds open.
func Stay(handle func(line []byte)) error {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() {
		if err := Read(handle); err != nil {
			failed <- err
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-terminated:
		return nil
	}
}
