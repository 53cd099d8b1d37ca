// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// lifetime and backdating of each certificate: two years, from five minutes ago.
const lifetime, backdating = 2 * 365 * 24 * time.Hour, 5 * time.Minute

type certificates struct {
	ca     *x509.Certificate
	client tls.Certificate
	apf    map[string]string
}

// makeCertificates makes what the automatic mode uses: a CA with one server leaf, and a self-signed client
// certificate that is no CA and yet is the only one that the server trusts.
func makeCertificates(serverName string) (*certificates, error) {
	caTemplate := &x509.Certificate{
		Subject: pkix.Name{Organization: []string{"agent-protocol-forwarder"}}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caDER, caKey, err := issue(caTemplate, nil, nil)
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(caDER)
	if err != nil {
		return nil, err
	}
	serverDER, serverKey, err := issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	if err != nil {
		return nil, err
	}
	clientDER, clientKey, err := issue(&x509.Certificate{
		Subject:  pkix.Name{Organization: []string{"cloud-api-adaptor"}},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}, nil, nil)
	if err != nil {
		return nil, err
	}
	serverKeyDER, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return nil, err
	}
	return &certificates{
		ca:     ca,
		client: tls.Certificate{Certificate: [][]byte{clientDER}, PrivateKey: clientKey},
		apf: map[string]string{
			"tls-server-cert": toPEM("CERTIFICATE", serverDER),
			"tls-server-key":  toPEM("PRIVATE KEY", serverKeyDER),
			"tls-client-ca":   toPEM("CERTIFICATE", clientDER),
		},
	}, nil
}

// issue signs template with the parent's key, or with its own when there is no parent.
func issue(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, now.Add(-backdating), now.Add(lifetime)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	return der, key, err
}

func toPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
