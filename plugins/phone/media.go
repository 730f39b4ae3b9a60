package phone

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"
)

// A packet holds 20 ms.
const (
	frameTime    = 20 * time.Millisecond
	frameSamples = rate / 50
)

// pause is the silence after the message, in frames: a key is to be found.
const pause = 3 * 50

// play says a message as often as it is to be repeated, with a pause after each time, and listens for keys meanwhile. It ends early with a key, when the
// other side hangs up, and with ctx. It tells whether the message was said once.
func (l *line) play(ctx context.Context, to stream, frames [][]byte) (whole bool, err error) {
	var listening sync.WaitGroup
	listening.Go(func() { l.listenKeys(to) })
	defer func() {
		_ = l.audio.SetReadDeadline(time.Unix(1, 0)) // wakes the listener up
		listening.Wait()
	}()
	packet := firstPacket(to.kind)
	silence := bytes.Repeat([]byte{to.law(0)}, frameSamples)
	period := len(frames) + pause
	ticker := time.NewTicker(frameTime)
	defer ticker.Stop()
	var began time.Time
	for sent := 0; sent < period*l.s.Repeat; {
		select {
		case <-ctx.Done():
			return sent >= len(frames), nil
		case <-l.hungUp:
			return sent >= len(frames), nil
		case <-l.pressed:
			return sent >= len(frames), nil
		case now := <-ticker.C:
			if began.IsZero() {
				began = now
			}
			for due := int(now.Sub(began)/frameTime) + 1; sent < min(due, period*l.s.Repeat); sent++ { // a late tick stands for those it ate
				packet.Payload = silence
				if i := sent % period; i < len(frames) {
					packet.Payload = frames[i]
				}
				if err := l.sendPacket(packet, to.at); err != nil {
					return sent >= len(frames), err
				}
				packet.Marker = false
				packet.SequenceNumber++
				packet.Timestamp += frameSamples
			}
		}
	}
	return true, nil
}

// firstPacket begins a stream (RFC 3550): its numbers begin anywhere.
func firstPacket(kind uint8) *rtp.Packet {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	return &rtp.Packet{Header: rtp.Header{
		Version: 2, Marker: true, PayloadType: kind,
		SSRC: binary.BigEndian.Uint32(random[:]), Timestamp: binary.BigEndian.Uint32(random[4:]), SequenceNumber: binary.BigEndian.Uint16(random[8:]),
	}}
}

func (l *line) sendPacket(p *rtp.Packet, to netip.AddrPort) error {
	raw, err := p.Marshal()
	if err != nil {
		return fmt.Errorf("make a packet of audio: %w", err)
	}
	if _, err := l.audio.WriteToUDPAddrPort(raw, to); err != nil {
		return fmt.Errorf("send audio: %w", err)
	}
	return nil
}

// listenKeys takes in the keys that come as telephone events from where the audio goes to, until the socket's deadline.
func (l *line) listenKeys(from stream) {
	buffer := make([]byte, 1500)
	for {
		n, sender, err := l.audio.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		var p rtp.Packet
		if sender.Addr().Unmap() != from.at.Addr() || from.event == 0 || p.Unmarshal(buffer[:n]) != nil || p.PayloadType != from.event {
			continue
		}
		l.heard(eventKey(p.Payload))
	}
}
