// SPDX-License-Identifier: Apache-2.0

// Package lines speaks JSON lines with the test that started a peer.
package lines

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"sync"
)

// maxLine is the longest command accepted, in bytes: a 4 MiB payload in base64 with room to spare.
const maxLine = 16 << 20

var mutex sync.Mutex

// Write puts one object on stdout; lines of concurrent calls never mix.
func Write(object any) {
	encoded, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	mutex.Lock()
	defer mutex.Unlock()
	os.Stdout.Write(append(encoded, '\n'))
}

// Read calls handle with each line of stdin, in order, and returns when stdin ends: the test is gone then.
func Read(handle func(line []byte)) error {
	reader := bufio.NewScanner(os.Stdin)
	reader.Buffer(make([]byte, 64<<10), maxLine)
	for reader.Scan() {
		handle(append([]byte(nil), reader.Bytes()...))
	}
	if err := reader.Err(); err != nil && err != io.EOF {
		return err
	}
	return nil
}
