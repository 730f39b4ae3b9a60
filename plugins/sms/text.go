package sms

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// alphabet is the default alphabet of GSM 03.38 in the order of its codes; code 27 leads to the extension.
const alphabet = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// extension returns the code of a character in the extension table, 0 when it is not there.
func extension(r rune) byte {
	const characters, codes = "\f^{}\\[~]|€", "\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65"
	at := 0
	for _, c := range characters {
		if c == r {
			return codes[at]
		}
		at++
	}
	return 0
}

const escape = 0x1b

// septets encodes a text in the GSM alphabet, a septet in each byte and each character by itself, or says that it cannot.
func septets(text string) ([][]byte, bool) {
	codes := make(map[rune]byte, 128)
	code := byte(0)
	for _, r := range alphabet {
		codes[r] = code
		code++
	}
	delete(codes, escape)
	var units [][]byte
	for _, r := range text {
		if c, ok := codes[r]; ok {
			units = append(units, []byte{c})
		} else if c := extension(r); c != 0 {
			units = append(units, []byte{escape, c})
		} else {
			return nil, false
		}
	}
	return units, true
}

// wide encodes a text in UTF-16, which is UCS-2 as phones have it today.
func wide(text string) [][]byte {
	var units [][]byte
	for _, r := range text {
		var unit []byte
		for _, u := range utf16.AppendRune(nil, r) {
			unit = binary.BigEndian.AppendUint16(unit, u)
		}
		units = append(units, unit)
	}
	return units
}

// The values of data_coding.
const (
	codingGSM  = 0
	codingUCS2 = 8
)

// maxParts is what one byte counts.
const maxParts = 255

// part is one short message.
type part struct {
	coding byte
	header bool // it begins with a user data header
	body   []byte
}

// split makes short messages of a text. Several are put together by a reference, of 16 bits or of 8.
func split(text string, reference uint16, narrow bool) []part {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x1b", " ")
	units, gsm := septets(text)
	coding, whole := byte(codingGSM), 160
	header := 7
	if narrow {
		header = 6
	}
	most := (140 - header) * 8 / 7
	if !gsm {
		units = wide(text)
		coding, whole, most = codingUCS2, 140, (140-header)/2*2
	}
	if size(units) <= whole {
		return []part{{coding: coding, body: join(units)}}
	}
	var bodies [][]byte
	var body []byte
	for _, u := range units {
		if len(body)+len(u) > most {
			bodies = append(bodies, body)
			body = nil
		}
		body = append(body, u...)
	}
	bodies = append(bodies, body)
	bodies = bodies[:min(len(bodies), maxParts)]
	parts := make([]part, len(bodies))
	for i, body := range bodies {
		udh := []byte{6, 8, 4, byte(reference >> 8), byte(reference), byte(len(bodies)), byte(i + 1)}
		if narrow {
			udh = []byte{5, 0, 3, byte(reference), byte(len(bodies)), byte(i + 1)}
		}
		parts[i] = part{coding: coding, header: true, body: append(udh, body...)}
	}
	return parts
}

func size(units [][]byte) int {
	n := 0
	for _, u := range units {
		n += len(u)
	}
	return n
}

func join(units [][]byte) []byte {
	var b []byte
	for _, u := range units {
		b = append(b, u...)
	}
	return b
}
