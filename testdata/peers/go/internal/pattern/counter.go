// SPDX-License-Identifier: Apache-2.0

package pattern

import "sync/atomic"

// Counter counts bytes.
type Counter struct{ value atomic.Int64 }

func (c *Counter) add(n int)    { c.value.Add(int64(n)) }
func (c *Counter) Value() int64 { return c.value.Load() }
