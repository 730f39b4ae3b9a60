package phone

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Payload types. Those of G.711 are fixed (RFC 3551); events have the one that the offer gives them.
const (
	typePCMU  = 0
	typePCMA  = 8
	typeEvent = 101
)

// offer writes an SDP (RFC 4566) that offers G.711 and telephone events at an address.
func offer(at netip.AddrPort, session uint64) string {
	ip := "IP4"
	if at.Addr().Is6() {
		ip = "IP6"
	}
	return strings.Join([]string{
		"v=0",
		fmt.Sprintf("o=flowctl %d 1 IN %s %s", session, ip, at.Addr()),
		"s=flowctl",
		fmt.Sprintf("c=IN %s %s", ip, at.Addr()),
		"t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP %d %d %d", at.Port(), typePCMU, typePCMA, typeEvent),
		fmt.Sprintf("a=rtpmap:%d PCMU/8000", typePCMU),
		fmt.Sprintf("a=rtpmap:%d PCMA/8000", typePCMA),
		fmt.Sprintf("a=rtpmap:%d telephone-event/8000", typeEvent),
		fmt.Sprintf("a=fmtp:%d 0-15", typeEvent),
		"a=ptime:20",
		"a=sendrecv",
		"",
	}, "\r\n")
}

// stream is what the other side answered.
type stream struct {
	at    netip.AddrPort // where it wants the audio
	law   law
	kind  uint8 // payload type of the audio
	event uint8 // payload type of telephone events; 0: it sends none
}

// parseAnswer reads an SDP: the first audio that is G.711 over plain RTP.
func parseAnswer(text string) (stream, error) {
	var address, own string // of the session, and of the audio
	var port int
	var kinds []uint8
	names := map[uint8]string{typePCMU: "PCMU/8000", typePCMA: "PCMA/8000"}
	where := "session"
	for line := range strings.Lines(text) {
		kind, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		switch {
		case kind == "m" && port != 0:
			where = "other"
		case kind == "m":
			if where, port, kinds = "other", 0, nil; strings.HasPrefix(value, "audio ") {
				var err error
				if port, kinds, err = parseAudio(value); err != nil {
					return stream{}, err
				}
				if port != 0 {
					where = "audio"
				}
			}
		case kind == "c" && where == "session":
			address = value
		case kind == "c" && where == "audio":
			own = value
		case kind == "a" && where == "audio":
			if number, name, ok := strings.Cut(strings.TrimPrefix(value, "rtpmap:"), " "); ok && strings.HasPrefix(value, "rtpmap:") {
				if n, err := strconv.ParseUint(number, 10, 7); err == nil {
					names[uint8(n)] = strings.ToUpper(strings.TrimSuffix(strings.TrimSpace(name), "/1"))
				}
			}
		}
	}
	if port == 0 {
		return stream{}, errors.New("it has no audio over RTP/AVP")
	}
	if own != "" {
		address = own
	}
	ip, err := parseConnection(address)
	if err != nil {
		return stream{}, err
	}
	s := stream{at: netip.AddrPortFrom(ip, uint16(port))}
	audio := slices.IndexFunc(kinds, func(k uint8) bool { return names[k] == "PCMU/8000" || names[k] == "PCMA/8000" })
	if audio < 0 {
		return stream{}, errors.New("it takes no G.711")
	}
	s.kind, s.law = kinds[audio], muLaw
	if names[s.kind] == "PCMA/8000" {
		s.law = aLaw
	}
	if i := slices.IndexFunc(kinds, func(k uint8) bool { return names[k] == "TELEPHONE-EVENT/8000" }); i >= 0 {
		s.event = kinds[i]
	}
	return s, nil
}

// parseAudio reads the value of an m= line: audio PORT PROTOCOL TYPE…. Port 0 is for what does not concern us.
func parseAudio(value string) (int, []uint8, error) {
	words := strings.Fields(value)
	if len(words) < 4 || !strings.EqualFold(words[2], "RTP/AVP") {
		return 0, nil, nil
	}
	number, _, _ := strings.Cut(words[1], "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return 0, nil, fmt.Errorf("%q is no port", words[1])
	}
	var kinds []uint8
	for _, w := range words[3:] {
		n, err := strconv.ParseUint(w, 10, 7)
		if err != nil {
			return 0, nil, fmt.Errorf("%q is no payload type", w)
		}
		kinds = append(kinds, uint8(n))
	}
	return int(port), kinds, nil
}

// parseConnection reads the value of a c= line: IN IP4 ADDRESS.
func parseConnection(value string) (netip.Addr, error) {
	words := strings.Fields(value)
	if len(words) != 3 || words[0] != "IN" {
		return netip.Addr{}, errors.New("it does not say where it wants the audio")
	}
	text, _, _ := strings.Cut(words[2], "/")
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("it wants the audio at %q", words[2])
	}
	return ip.Unmap(), nil
}
