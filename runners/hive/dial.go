package hive

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"

	"flowctl/plugins/sdk"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/beltran/gohive/hiveserver"
)

// maxFrame bounds one answer of the server.
const maxFrame = 256 << 20

// client is one connection to HiveServer2, for one call at a time.
type client struct {
	stub  *hiveserver.TCLIServiceClient
	close func() // also during a call
}

// dial connects and, with the binary transport, logs in. Over HTTP the first call does both.
func dial(ctx context.Context, s settings) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, span(s.ConnectTimeout))
	defer cancel()
	config, err := s.tls.config(s.Host)
	if err != nil {
		return nil, err
	}
	name, password, err := s.credentials()
	if err != nil {
		return nil, err
	}
	limits := &thrift.TConfiguration{MaxMessageSize: maxFrame, MaxFrameSize: maxFrame}
	var transport thrift.TTransport
	c := &client{}
	if s.Transport == "http" {
		transport, c.close, err = dialHTTP(s, config, name, password)
	} else {
		transport, c.close, err = dialBinary(ctx, s, config, name, password, limits)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to HiveServer2 at %s: %w", s.address(), err)
	}
	protocol := thrift.NewTBinaryProtocolConf(transport, limits)
	c.stub = hiveserver.NewTCLIServiceClient(thrift.NewTStandardClient(protocol, protocol))
	return c, nil
}

func (s settings) address() string { return net.JoinHostPort(s.Host, string(s.Port)) }

// dialer finds out within a minute that a host has gone.
func dialer() *net.Dialer {
	return &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 4}}
}

func dialBinary(ctx context.Context, s settings, config *tls.Config, name, password string, limits *thrift.TConfiguration) (thrift.TTransport, func(), error) {
	conn, err := dialer().DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	if config != nil {
		encrypted := tls.Client(conn, config)
		if err = encrypted.HandshakeContext(ctx); err != nil {
			err = fmt.Errorf("begin TLS: %w", err)
		}
		conn = encrypted
	}
	if err == nil && s.Auth != "nosasl" {
		err = login(conn, name, password)
	}
	if !stop() {
		err = fmt.Errorf("the server did not answer the login within %s: try another auth, transport or tls", s.ConnectTimeout)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	hangUp := func() { _ = conn.Close() }
	socket := thrift.NewTSocketFromConnConf(conn, limits)
	if s.Auth == "nosasl" {
		return thrift.NewTBufferedTransport(socket, 8<<10), hangUp, nil
	}
	return thrift.NewTFramedTransportConf(socket, limits), hangUp, nil
}

// The statuses of Thrift's SASL messages.
const (
	saslStart    = 1
	saslOK       = 2
	saslBad      = 3
	saslError    = 4
	saslComplete = 5
)

// login does SASL's PLAIN in Thrift's framing. Afterwards messages have their length before them, as in Thrift's framed transport.
func login(conn net.Conn, name, password string) error {
	hello := saslMessage(nil, saslStart, "PLAIN")
	hello = saslMessage(hello, saslOK, "\x00"+name+"\x00"+password)
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	var header [5]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return fmt.Errorf("the server hung up at the login (%w): try auth nosasl, another transport, or tls", err)
	}
	text, err := io.ReadAll(io.LimitReader(conn, int64(min(binary.BigEndian.Uint32(header[1:]), 4<<10))))
	if err != nil {
		return err
	}
	switch header[0] {
	case saslComplete:
		return nil
	case saslBad, saslError:
		return fmt.Errorf("the server refuses the login of %s: %s", name, text)
	}
	return fmt.Errorf("the server answers the login with something else than SASL: try auth nosasl, another transport, or tls")
}

func saslMessage(b []byte, status byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(append(b, status), uint32(len(text)))
	return append(b, text...)
}

func dialHTTP(s settings, config *tls.Config, name, password string) (thrift.TTransport, func(), error) {
	jar, err := cookiejar.New(nil) // the server asks for the password less often when its cookie comes back
	if err != nil {
		return nil, nil, err
	}
	at := url.URL{Scheme: "http", Host: s.address(), Path: "/" + strings.TrimPrefix(s.HTTPPath, "/")}
	if config != nil {
		at.Scheme = "https"
	}
	inner := &http.Transport{DialContext: dialer().DialContext, TLSClientConfig: config, TLSHandshakeTimeout: span(s.ConnectTimeout)}
	transport, err := thrift.NewTHttpClientWithOptions(at.String(), thrift.THttpClientOptions{
		Client: &http.Client{Transport: refusals{inner}, Jar: jar},
	})
	if err != nil {
		return nil, nil, err
	}
	h := transport.(*thrift.THttpClient)
	h.SetHeader("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":"+password)))
	h.SetHeader("X-XSRF-HEADER", "true")
	return transport, inner.CloseIdleConnections, nil
}

// refusals makes errors of refused requests: Thrift's client would drop what the server says.
type refusals struct{ http.RoundTripper }

func (r refusals) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.RoundTripper.RoundTrip(request)
	if err != nil || response.StatusCode == http.StatusOK {
		return response, err
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
	_ = response.Body.Close()
	hint := ""
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = " (check user and password)"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		hint = " (check http_path)"
	}
	return nil, fmt.Errorf("the server answers %s%s %s", response.Status, hint, bytes.ToValidUTF8(bytes.TrimSpace(text), nil))
}

// config returns what TLS is to check; nil: no TLS.
func (t tlsSettings) config(host string) (*tls.Config, error) {
	if !t.on {
		return nil, nil
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t.ServerName != "" {
		config.ServerName = t.ServerName
	}
	if t.CA != "" {
		path, err := sdk.ExpandHome(t.CA)
		if err != nil {
			return nil, err
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read with.tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("with.tls.ca: %s holds no certificate in PEM", path)
		}
	}
	if t.Cert != "" {
		cert, err1 := sdk.ExpandHome(t.Cert)
		key, err2 := sdk.ExpandHome(t.Key)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read with.tls.cert and key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
