// SPDX-License-Identifier: Apache-2.0

// Package pattern has the bytes by which benchload and benchagent check each other: both know what belongs to a seed.
package pattern

import (
	"hash/crc32"
	"math/rand/v2"
	"net"
	"sync"
)

// size is that of the pattern; a piece is cut from a place that its seed chooses.
const size = 16 << 20

var data = sync.OnceValue(func() []byte {
	bytes := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(bytes)
	return bytes
})

// At returns the n bytes of a seed; nobody may change them.
func At(seed uint64, n int) []byte {
	// A constant of splitmix64: seeds in a row lead to places far apart.
	place := (seed + 1) * 0x9e3779b97f4a7c15 % uint64(size-n)
	return data()[place : place+uint64(n)]
}

// Sum is what stands for bytes in a reply that has room for a number only.
func Sum(bytes []byte) uint32 { return crc32.ChecksumIEEE(bytes) }

// Status is what a process of that id ends with.
func Status(id string) int32 { return int32(Sum([]byte(id)) >> 1) }

// Gate is a connection whose reading can be stopped.
type Gate struct {
	net.Conn
	mutex sync.RWMutex
	// Bytes that were read and written.
	In, Out Counter
}

// Hold stops reading at the next Read; Go lets it go on.
func (g *Gate) Hold() { g.mutex.Lock() }
func (g *Gate) Go()   { g.mutex.Unlock() }

func (g *Gate) Read(bytes []byte) (int, error) {
	g.mutex.RLock()
	g.mutex.RUnlock()
	n, err := g.Conn.Read(bytes)
	g.In.add(n)
	return n, err
}

func (g *Gate) Write(bytes []byte) (int, error) {
	n, err := g.Conn.Write(bytes)
	g.Out.add(n)
	return n, err
}
