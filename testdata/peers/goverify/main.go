// SPDX-License-Identifier: Apache-2.0

// Program goverify asks Go's crypto/x509 whether certificates are valid, for tests.
//
// It reads one question per line and answers each with one line: {"id":number,"valid":bool,"error":string}.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Longest question, in bytes.
const maxLine = 16 << 20

// question holds DER; encoding/json reads it as base64.
type question struct {
	ID            int       `json:"id"`
	Leaf          []byte    `json:"leaf"`
	Intermediates [][]byte  `json:"intermediates"`
	Anchors       [][]byte  `json:"anchors"`
	Usage         string    `json:"usage"`
	Names         []string  `json:"names"`
	Now           time.Time `json:"now"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, maxLine)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked question
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, "goverify:", err)
			os.Exit(1)
		}
		answer := map[string]any{"id": asked.ID, "valid": true, "error": ""}
		if err := verify(asked); err != nil {
			answer = map[string]any{"id": asked.ID, "valid": false, "error": err.Error()}
		}
		if err := out.Encode(answer); err != nil {
			os.Exit(1)
		}
	}
}

func verify(asked question) error {
	leaf, err := x509.ParseCertificate(asked.Leaf)
	if err != nil {
		return err
	}
	usage := x509.ExtKeyUsageServerAuth
	if asked.Usage == "client" {
		usage = x509.ExtKeyUsageClientAuth
	}
	options := x509.VerifyOptions{
		Roots:         pool(asked.Anchors),
		Intermediates: pool(asked.Intermediates),
		CurrentTime:   asked.Now,
		KeyUsages:     []x509.ExtKeyUsage{usage},
	}
	if _, err := leaf.Verify(options); err != nil {
		return err
	}
	for _, name := range asked.Names {
		if err := leaf.VerifyHostname(name); err != nil {
			return err
		}
	}
	return nil
}

// pool leaves out what cannot be read, as AppendCertsFromPEM does.
func pool(ders [][]byte) *x509.CertPool {
	all := x509.NewCertPool()
	for _, der := range ders {
		if one, err := x509.ParseCertificate(der); err == nil {
			all.AddCert(one)
		}
	}
	return all
}
