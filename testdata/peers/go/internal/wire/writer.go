// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"io"
	"sync"
)

// pieceBytes is the most that is written at once: who counts what went over a connection sees it after each piece.
const pieceBytes = 32 << 10

// writer gathers frames, and writes all of them that are there.
type writer struct {
	target io.Writer

	mutex   sync.Mutex
	waiting []byte
	spare   []byte
	busy    bool
	err     error
}

// add has frames appended to what waits.
func (w *writer) add(append func(waiting []byte) []byte) {
	w.mutex.Lock()
	w.waiting = append(w.waiting)
	w.mutex.Unlock()
}

// flush writes what waits; when somebody else writes already, it is left to that one.
func (w *writer) flush() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.busy {
		return nil
	}
	w.busy = true
	for len(w.waiting) > 0 && w.err == nil {
		frames := w.waiting
		w.waiting = w.spare[:0]
		w.mutex.Unlock()
		err := writePieces(w.target, frames)
		w.mutex.Lock()
		w.spare = frames
		w.err = err
	}
	w.busy = false
	return w.err
}

func writePieces(target io.Writer, bytes []byte) error {
	for len(bytes) > 0 {
		n, err := target.Write(bytes[:min(len(bytes), pieceBytes)])
		if err != nil {
			return err
		}
		bytes = bytes[n:]
	}
	return nil
}
