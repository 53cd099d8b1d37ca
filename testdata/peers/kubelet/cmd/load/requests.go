// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// blockBytes is the length of the pattern that files repeat: a prime, so that a block lost or doubled shows.
const blockBytes = 1_048_573

// block is the pattern: never the same at a small distance.
func block() []byte {
	made := make([]byte, blockBytes)
	state := uint32(1)
	for i := range made {
		state = state*1664525 + 1013904223
		made[i] = byte(state >> 24)
	}
	return made
}

func makeFile(path string, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	pattern := block()
	for left := size; left > 0; left -= int64(len(pattern)) {
		if _, err := file.Write(pattern[:min(left, int64(len(pattern)))]); err != nil {
			return err
		}
	}
	return file.Close()
}

// measureGets asks again and again on each of some connections that stay open.
func measureGets(asked order) (result, error) {
	config, err := tlsConfig(asked)
	if err != nil {
		return result{}, err
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	var all []time.Duration
	var failure error
	began := time.Now()
	end := began.Add(time.Duration(asked.Seconds * float64(time.Second)))
	for range asked.Connections {
		group.Go(func() {
			times, err := getUntil(asked, config, end)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
			if err != nil {
				failure = err
			}
		})
	}
	group.Wait()
	return summary(all, int64(len(all)*len(asked.Body)), time.Since(began)), failure
}

func getUntil(asked order, config *tls.Config, end time.Time) (times []time.Duration, err error) {
	connection, err := tls.Dial("tcp", asked.Address, config)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", asked.Path, asked.ServerName)
	reader := bufio.NewReader(connection)
	for {
		began := time.Now()
		if !began.Before(end) {
			return times, nil
		}
		if _, err := connection.Write(request); err != nil {
			return times, err
		}
		reply, err := http.ReadResponse(reader, nil)
		if err != nil {
			return times, err
		}
		body, err := io.ReadAll(reply.Body)
		if err != nil {
			return times, err
		}
		if reply.StatusCode != http.StatusOK || string(body) != asked.Body {
			return times, fmt.Errorf("wrong reply: %d %.100q", reply.StatusCode, body)
		}
		times = append(times, time.Since(began))
	}
}

// measureDownload reads one large file and compares every byte of it.
func measureDownload(asked order) (result, error) {
	config, err := tlsConfig(asked)
	if err != nil {
		return result{}, err
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableCompression: true}}
	defer client.CloseIdleConnections()
	began := time.Now()
	reply, err := client.Get("https://" + asked.Address + asked.Path)
	if err != nil {
		return result{}, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return result{}, fmt.Errorf("wrong reply: %s", reply.Status)
	}
	pattern := block()
	chunk := make([]byte, 256<<10)
	var read int64
	for {
		n, err := reply.Body.Read(chunk)
		for got := chunk[:n]; len(got) > 0; {
			at := int(read % blockBytes)
			part := min(len(got), blockBytes-at)
			if !bytes.Equal(got[:part], pattern[at:at+part]) {
				return result{}, fmt.Errorf("wrong bytes after %d", read)
			}
			got, read = got[part:], read+int64(part)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return result{}, err
		}
	}
	if read != asked.Bytes {
		return result{}, fmt.Errorf("%d bytes came, not %d", read, asked.Bytes)
	}
	return result{Count: 1, Bytes: read, Seconds: time.Since(began).Seconds()}, nil
}
