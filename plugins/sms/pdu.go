package sms

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The commands of SMPP 3.4 that are used here. An answer has the bit reply.
const (
	cmdNack       = 0x80000000
	cmdSubmit     = 0x00000004
	cmdDeliver    = 0x00000005
	cmdUnbind     = 0x00000006
	cmdBind       = 0x00000009 // as a transceiver
	cmdEnquire    = 0x00000015
	cmdAlert      = 0x00000102 // wants no answer
	reply         = 0x80000000
	badCommand    = 0x00000003 // ESME_RINVCMDID
	maxPDU        = 64 << 10
	headerLength  = 16
	tlvReceipted  = 0x001e
	tlvState      = 0x0427
	classReceipt  = 0x04
	classTypes    = 0x3c
	classHeader   = 0x40
	wantReceipt   = 1
	protocol34    = 0x34
	international = 1 // type of number
	alphanumeric  = 5
	isdn          = 1 // numbering plan
)

// pdu is a protocol data unit.
type pdu struct {
	command, status, sequence uint32
	body                      []byte
}

func (p pdu) bytes() []byte {
	b := make([]byte, 0, headerLength+len(p.body))
	for _, v := range []uint32{uint32(headerLength + len(p.body)), p.command, p.status, p.sequence} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return append(b, p.body...)
}

// readPDU reads the next unit.
func readPDU(r io.Reader) (pdu, error) {
	var header [headerLength]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return pdu{}, err
	}
	field := func(i int) uint32 { return binary.BigEndian.Uint32(header[4*i:]) }
	length := field(0)
	if length < headerLength || length > maxPDU {
		return pdu{}, fmt.Errorf("a unit of %d bytes, want %d to %d: is that an SMS centre?", length, headerLength, maxPDU)
	}
	p := pdu{command: field(1), status: field(2), sequence: field(3), body: make([]byte, length-headerLength)}
	_, err := io.ReadFull(r, p.body)
	return p, err
}

// text reads a string that ends with a zero byte.
func text(b *bytes.Buffer) (string, error) {
	s, err := b.ReadString(0)
	if err != nil {
		return "", errShort
	}
	return s[:len(s)-1], nil
}

var errShort = errors.New("a unit ends too early")

// receipt is what an SMS centre says of a message that it took.
type receipt struct {
	id    string
	state string // DELIVRD, UNDELIV, …
}

// states are the values of the parameter message_state.
func states() []string {
	return []string{"", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"}
}

// parseReceipt reads the receipt in a deliver_sm; false when that is a message from somebody.
func parseReceipt(body []byte) (receipt, bool, error) {
	b := bytes.NewBuffer(body)
	skip := func(texts, octets int) error {
		for range texts {
			if _, err := text(b); err != nil {
				return err
			}
		}
		if len(b.Next(octets)) < octets {
			return errShort
		}
		return nil
	}
	if err := errors.Join(skip(1, 2), skip(1, 2), skip(1, 0)); err != nil { // service, source, destination
		return receipt{}, false, err
	}
	class, err := b.ReadByte()
	if err != nil {
		return receipt{}, false, errShort
	}
	if class&classTypes != classReceipt {
		return receipt{}, false, nil
	}
	if err := errors.Join(skip(0, 2), skip(2, 4)); err != nil { // protocol, priority; times, flags, coding
		return receipt{}, false, err
	}
	length, err := b.ReadByte()
	if err != nil || b.Len() < int(length) {
		return receipt{}, false, errShort
	}
	r := readable(string(b.Next(int(length))))
	for b.Len() >= 4 {
		tag, size := binary.BigEndian.Uint16(b.Next(2)), int(binary.BigEndian.Uint16(b.Next(2)))
		if b.Len() < size {
			return receipt{}, false, errShort
		}
		switch value := b.Next(size); {
		case tag == tlvReceipted:
			r.id = strings.TrimRight(string(value), "\x00")
		case tag == tlvState && len(value) == 1 && int(value[0]) < len(states()):
			r.state = states()[value[0]]
		}
	}
	return r, true, nil
}

// readable reads the text of a receipt: id:IIII sub:SSS dlvrd:DDD submit date:… done date:… stat:DELIVRD err:E text:…
func readable(s string) receipt {
	var r receipt
	for word := range strings.FieldsSeq(s) {
		if id, ok := strings.CutPrefix(word, "id:"); ok && r.id == "" {
			r.id = id
		}
		if state, ok := strings.CutPrefix(word, "stat:"); ok && r.state == "" {
			r.state = strings.ToUpper(state)
		}
	}
	return r
}

// refusal is an answer with an error.
type refusal struct{ status uint32 }

// Error implements error.
func (r refusal) Error() string {
	if name := refusals()[r.status]; name != "" {
		return fmt.Sprintf("%s (0x%08x)", name, r.status)
	}
	return fmt.Sprintf("error 0x%08x", r.status)
}

func refusals() map[uint32]string {
	return map[uint32]string{
		0x05: "already bound", 0x08: "system error", 0x0a: "invalid source address", 0x0b: "invalid destination address", 0x0d: "bind failed",
		0x0e: "invalid password", 0x0f: "invalid system id", 0x14: "its queue is full", 0x45: "submit failed", 0x58: "throttled",
		0x61: "invalid date", 0x64: "temporary error of the receiving application",
	}
}

// retryable tells whether trying again can help: not when the other side finds fault with what it is told.
func (r refusal) retryable() bool {
	switch r.status {
	case 0x05, 0x08, 0x14, 0x45, 0x58, 0x64:
		return true
	}
	return false
}
