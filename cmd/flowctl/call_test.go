//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

// TestACallIsAnsweredAndAcknowledged: a task fails, the server's phone plugin calls, Debian's sipp answers and presses the key, and the alert is
// somebody's.
func TestACallIsAnsweredAndAcknowledged(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"sipp", "espeak-ng"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("wants %s: run scripts/peers", program)
		}
	}
	ear, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // takes the audio, and lets it lie
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ear.Close() })
	text, err := os.ReadFile("../../plugins/phone/testdata/info.xml")
	if err != nil {
		t.Fatal(err)
	}
	scenario := strings.NewReplacer("[audio]", strconv.Itoa(ear.LocalAddr().(*net.UDPAddr).Port), "[law]", "8", "[signal]", "1").Replace(string(text))
	address := freePort(t)
	s := newSite(t, map[string][]byte{
		"flowctl.yaml": []byte("version: 1\n"),
		"flows.yaml": fmt.Appendf(nil, `people: {alice: {name: Alice, phone: "+8613800000001"}}
teams: {data: {members: [alice]}}
channels:
  calls: {plugin: phone, with: {server: "%s", from: "1000", repeat: 1, ring: 20s}}
---
flow: shop
team: data
tasks:
  load: {run: "exit 3", alerts: {phone: [alice]}}
`, address),
	})
	path := filepath.Join(s.dir, "scenario.xml")
	if err := os.WriteFile(path, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	callee := exec.CommandContext(t.Context(), "sipp", "-sf", path, "-i", "127.0.0.1", "-p", port, "-m", "1", "-nostdin", "-timeout", "120", "-timeout_error")
	var out bytes.Buffer
	callee.Stdout, callee.Stderr = &out, &out
	if err := callee.Start(); err != nil {
		t.Fatal(err)
	}
	server := s.startServer()
	s.awaitReady(server)
	c := s.client()
	if _, err := c.StartRun(t.Context(), engine.StartRun{Target: "shop"}); err != nil {
		t.Fatal(err)
	}
	var alerts *engine.List[engine.AlertView]
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(pause) {
		if alerts, err = c.Alerts(t.Context(), engine.AlertsQuery{}); err != nil {
			t.Fatal(err)
		}
		if len(alerts.Items) == 1 && alerts.Items[0].AckedBy != "" {
			break
		}
	}
	if len(alerts.Items) != 1 || alerts.Items[0].AckedBy != "Alice" || !strings.HasPrefix(alerts.Items[0].Subject, "shop/load@") {
		t.Errorf("alerts %+v", alerts.Items)
	}
	if err := callee.Wait(); err != nil {
		t.Errorf("the callee saw another call: %v\n%s", err, out.Bytes()[max(0, out.Len()-1500):])
	}
	server.terminate(t)
}
