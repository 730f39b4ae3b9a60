package sms

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
)

// deliver writes the body of a deliver_sm.
func deliver(class byte, text string, tlvs ...byte) []byte {
	b := append(cstrings(""), 1, 1)
	b = append(b, cstrings("8613800000001")...)
	b = append(b, 0, 0)
	b = append(b, cstrings("flows")...)
	b = append(b, class, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(text)))
	return append(append(b, text...), tlvs...)
}

func TestParseReceipt(t *testing.T) {
	t.Parallel()
	const text = "id:Abc sub:001 dlvrd:001 submit date:2611200102 done date:2611200102 stat:delivrd err:000 text:id:no stat:no"
	for _, c := range []struct {
		body []byte
		want receipt
		is   bool
	}{
		{deliver(4, text), receipt{"Abc", "DELIVRD"}, true},
		{deliver(4, text, 0, 0x1e, 0, 3, 'x', 'y', 0, 4, 0x27, 0, 1, 5), receipt{"xy", "UNDELIV"}, true},
		{deliver(4, "", 4, 0x27, 0, 1, 99), receipt{}, true},
		{deliver(0, text), receipt{}, false},
	} {
		got, is, err := parseReceipt(c.body)
		if err != nil || is != c.is || got != c.want {
			t.Errorf("%q: %v, %t, %v; want %v", c.body, got, is, err, c.want)
		}
	}
	whole := deliver(4, text, 0, 0x1e, 0, 3, 'x', 'y', 0)
	for n := range whole {
		got, _, err := parseReceipt(whole[:n])
		if ends := n == len(deliver(4, text)) || n > len(deliver(4, text)) && n < len(deliver(4, text))+4; ends == (err != nil) {
			t.Errorf("%d of %d bytes: %v, %v", n, len(whole), got, err)
		}
	}
}

// FuzzPDU reads anything, and what it reads is written as it was.
func FuzzPDU(f *testing.F) {
	f.Add(pdu{command: cmdDeliver, sequence: 1, body: deliver(4, "id:1 stat:DELIVRD", 4, 0x27, 0, 1, 5)}.bytes())
	f.Add(pdu{command: cmdSubmit | reply, status: 0x58, sequence: 1, body: cstrings("M1")}.bytes())
	f.Add([]byte("HTTP/1.1 400 Bad Request"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPDU(bytes.NewReader(b))
		if err != nil {
			return
		}
		if again, err := readPDU(bytes.NewReader(p.bytes())); err != nil || !reflect.DeepEqual(p, again) || !bytes.HasPrefix(b, p.bytes()) {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
		_, _, _ = parseReceipt(p.body)
		_, _ = text(bytes.NewBuffer(p.body))
	})
}

// Nothing is kept for ever of receipts that nobody waits for.
func TestEarlyReceipts(t *testing.T) {
	t.Parallel()
	var l ledger
	for i := range early + 10 {
		l.enter(receipt{fmt.Sprint(i), "DELIVRD"})
	}
	if len(l.entered) != early {
		t.Errorf("%d are kept", len(l.entered))
	}
	if got := l.await(t.Context(), fmt.Sprint(early)); got != "DELIVRD" || len(l.entered) != early-1 {
		t.Errorf("got %q, %d are kept", got, len(l.entered))
	}
}
