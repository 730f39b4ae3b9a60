package phone

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// sipp is the other end of calls, for one test: Debian's sipp plays a scenario of testdata, and an ear listens to the audio.
type sipp struct {
	t    testing.TB
	port int
	ear  *ear
	done chan error
	log  string
	out  bytes.Buffer
}

// startSIPp starts a scenario for a number of calls. Arguments "-key NAME VALUE" fill it in: sipp's own do not reach all places. Tests skip where sipp or espeak-ng is not installed.
func startSIPp(t testing.TB, scenario string, calls int, args ...string) *sipp {
	t.Helper()
	for _, program := range []string{"sipp", "espeak-ng"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("wants %s: run scripts/peers", program)
		}
	}
	network := "udp"
	for _, a := range args {
		if a == "t1" {
			network = "tcp"
		}
	}
	p := &sipp{t: t, ear: listen(t), done: make(chan error, 1), log: filepath.Join(t.TempDir(), "messages"), port: freePort(t, network)}
	text, err := os.ReadFile(filepath.Join("testdata", scenario+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.ReplaceAll(string(text), "[audio]", strconv.Itoa(p.ear.port))
	for len(args) > 2 && args[0] == "-key" {
		filled, args = strings.ReplaceAll(filled, "["+args[1]+"]", args[2]), args[3:]
	}
	file := filepath.Join(t.TempDir(), "scenario.xml")
	if err := os.WriteFile(file, []byte(filled), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, "sipp", append([]string{
		"-sf", file, "-i", "127.0.0.1", "-p", strconv.Itoa(p.port), "-m", strconv.Itoa(calls), "-nostdin",
		"-timeout", "60", "-timeout_error", "-trace_msg", "-message_file", p.log,
	}, args...)...)
	c.Stdout, c.Stderr = &p.out, &p.out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.done <- c.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		cancel()
		for range p.done { // until it is closed
		}
		if t.Failed() {
			log, _ := os.ReadFile(p.log)
			t.Logf("sipp %s: %s\n%s", scenario, log, p.out.String()[max(0, p.out.Len()-1500):])
		}
	})
	p.waitListening(network)
	return p
}

func freePort(t testing.TB, network string) int {
	t.Helper()
	if network == "tcp" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return l.Addr().(*net.TCPAddr).Port
	}
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// waitListening returns when the kernel lists the port.
func (p *sipp) waitListening(network string) {
	p.t.Helper()
	var address [4]byte
	binary.LittleEndian.PutUint32(address[:], 0x7f000001)
	want := fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(address[:])), p.port)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if list, err := os.ReadFile("/proc/net/" + network); err != nil || strings.Contains(string(list), " "+want+" ") {
			tick.Stop()
			return
		}
		select {
		case err := <-p.done:
			p.t.Fatalf("sipp: %v\n%s", err, p.out.String())
		case <-tick.C:
		}
	}
}

// played checks that all calls went as the scenario says.
func (p *sipp) played() {
	p.t.Helper()
	if err := <-p.done; err != nil {
		p.t.Errorf("the other side saw another call: %v", err)
	}
}

// with is the configuration that reaches it, with more settings.
func (p *sipp) with(more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"server": "127.0.0.1:%d", "from": "1000", "repeat": 1, "ring": "20s"%s}`, p.port, more))
}

// ear takes in the audio of a call, and can press keys.
type ear struct {
	conn *net.UDPConn
	port int

	mu      sync.Mutex
	packets []rtp.Packet
	times   []time.Time
}

func listen(t testing.TB) *ear {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadBuffer(1 << 20)
	t.Cleanup(func() { _ = conn.Close() })
	return &ear{conn: conn, port: conn.LocalAddr().(*net.UDPAddr).Port}
}

// hear takes in packets until the socket is closed. After some, it presses keys.
func (e *ear) hear(after int, pressed string) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := e.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(bytes.Clone(buffer[:n])) != nil {
			continue
		}
		e.mu.Lock()
		e.packets, e.times = append(e.packets, p), append(e.times, time.Now())
		count := len(e.packets)
		e.mu.Unlock()
		if count == after {
			for i, key := range pressed {
				e.press(from, byte(key), uint32(i)*1600)
			}
		}
	}
}

// press sends a key as RFC 4733 wants it: the event as it goes on, and its end thrice.
func (e *ear) press(to netip.AddrPort, key byte, at uint32) {
	for i := range 6 {
		duration := uint16(min(i+1, 4) * frameSamples)
		p := rtp.Packet{
			Header:  rtp.Header{Version: 2, Marker: i == 0, PayloadType: typeEvent, SequenceNumber: uint16(at) + uint16(i), Timestamp: at, SSRC: 7},
			Payload: eventPayload(key, i > 2, duration),
		}
		raw, err := p.Marshal()
		if err == nil {
			_, _ = e.conn.WriteToUDPAddrPort(raw, to)
		}
	}
}

// eventPayload writes a telephone event: 10 dB below the loudest, with how long it lasts so far in samples.
func eventPayload(key byte, end bool, duration uint16) []byte {
	volume := byte(10)
	if end {
		volume |= 0x80
	}
	return binary.BigEndian.AppendUint16([]byte{byte(strings.IndexByte(keys, key)), volume}, duration)
}

func (e *ear) heard() ([]rtp.Packet, []time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.packets, e.times
}
