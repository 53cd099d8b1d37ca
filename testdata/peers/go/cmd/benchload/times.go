// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"
)

func sorted(parts [][]time.Duration) []time.Duration {
	times := slices.Concat(parts...)
	slices.Sort(times)
	return times
}

// micros is the time below which the given part of all times lie, in microseconds.
func micros(times []time.Duration, part float64) float64 {
	if len(times) == 0 {
		return 0
	}
	return float64(times[int(part*float64(len(times)-1))]) / float64(time.Microsecond)
}
