// SPDX-License-Identifier: Apache-2.0

// Program opa evaluates policies with Open Policy Agent's own library, for tests and benchmarks of lib/rego.
//
// Without an argument it reads one request per line from stdin and answers each with one line on stdout, in order.
// `cases DIR` prints every conformance case under DIR, as OPA's own reader of them sees it, one JSON object per line.
// With `bench` it reads one request, decides it again and again for the time it says, and answers with the rate.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/version"
)

// Longest line of a request, in bytes.
const maxLine = 64 << 20

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "opa:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	encoder := json.NewEncoder(out)
	switch {
	case len(args) == 0:
		return answerLines(in, encoder)
	case args[0] == "bench":
		var request benchRequest
		if err := decode(in, &request); err != nil {
			return err
		}
		answer, err := bench(request)
		if err != nil {
			return err
		}
		return encoder.Encode(answer)
	case args[0] == "cases" && len(args) == 2:
		return printCases(args[1], encoder)
	case args[0] == "proxy":
		return serveProxy(args[1:], in, out)
	case args[0] == "version":
		return encoder.Encode(map[string]string{"version": version.Version})
	}
	return fmt.Errorf("unknown argument %q", args[0])
}

func answerLines(in io.Reader, encoder *json.Encoder) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<20), maxLine)
	for lines.Scan() {
		var request evalRequest
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			return err
		}
		if err := encoder.Encode(answer(request)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func printCases(dir string, encoder *json.Encoder) error {
	set, err := cases.Load(dir)
	if err != nil {
		return err
	}
	for _, each := range set.Sorted().Cases {
		file, err := filepath.Rel(dir, each.Filename)
		if err != nil {
			return err
		}
		if err := encoder.Encode(struct {
			File string `json:"file"`
			cases.TestCase
		}{file, each}); err != nil {
			return err
		}
	}
	return nil
}

// decode keeps numbers as they are written.
func decode(in io.Reader, to any) error {
	decoder := json.NewDecoder(in)
	decoder.UseNumber()
	return decoder.Decode(to)
}
