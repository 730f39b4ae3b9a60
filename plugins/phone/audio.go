package phone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// rate is how many samples a second of telephone audio has.
const rate = 8000

// longest is how long a message may be, in samples. It must fit in a call at least once.
const longest = 60 * rate

// law is one of the two of G.711.
type law func(sample int16) byte

// muLaw encodes a sample (ITU-T G.711, table 2).
func muLaw(sample int16) byte {
	const bias, clip = 33 << 2, 32635
	sign, magnitude := byte(0), int(sample)
	if magnitude < 0 {
		sign, magnitude = 0x80, -magnitude
	}
	magnitude = min(magnitude, clip) + bias
	exponent := bits.Len(uint(magnitude)) - 8
	return ^(sign | byte(exponent<<4) | byte(magnitude>>(exponent+3))&0x0f)
}

// aLaw encodes a sample (ITU-T G.711, table 1).
func aLaw(sample int16) byte {
	sign, magnitude := byte(0x80), int(sample)
	if magnitude < 0 {
		sign, magnitude = 0, ^magnitude
	}
	code := byte(magnitude >> 4)
	if exponent := bits.Len(uint(magnitude)) - 8; exponent > 0 {
		code = byte(exponent<<4) | byte(magnitude>>(exponent+3))&0x0f
	}
	return (sign | code) ^ 0x55
}

// readWAV decodes a WAV file of 8 or 16 bits into samples of telephone audio. Programs that write to a pipe say wrong lengths; what there is counts.
func readWAV(file []byte) ([]int16, error) {
	if len(file) < 12 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" {
		return nil, errors.New("it is no WAV file")
	}
	var channels, width, speed int
	for rest := file[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		content := body[:min(size, int64(len(body)))]
		switch name {
		case "fmt ":
			if len(content) < 16 {
				return nil, errors.New("its format is cut off")
			}
			format := binary.LittleEndian.Uint16(content)
			channels, width = int(binary.LittleEndian.Uint16(content[2:])), int(binary.LittleEndian.Uint16(content[14:]))
			speed = int(binary.LittleEndian.Uint32(content[4:]))
			if format != 1 || channels < 1 || channels > 8 || width != 8 && width != 16 || speed < rate || speed > 192000 {
				return nil, fmt.Errorf("it is of format %d with %d channels of %d bits, %d times a second: want PCM of 8 or 16 bits, %d to 192000 times a second", format, channels, width, speed, rate)
			}
		case "data":
			if channels == 0 {
				return nil, errors.New("its audio stands before its format")
			}
			samples := resample(mono(content, channels, width), speed)
			if len(samples) == 0 {
				return nil, errors.New("it has no audio")
			}
			return samples, nil
		}
		rest = body[min(size+size&1, int64(len(body))):]
	}
	return nil, errors.New("it has no audio")
}

// mono mixes the channels.
func mono(data []byte, channels, width int) []int16 {
	step := channels * width / 8
	out := make([]int16, 0, len(data)/step)
	for ; len(data) >= step; data = data[step:] {
		sum := 0
		for c := range channels {
			if width == 8 {
				sum += (int(data[c]) - 128) << 8
			} else {
				sum += int(int16(binary.LittleEndian.Uint16(data[2*c:])))
			}
		}
		out = append(out, int16(sum/channels))
	}
	return out
}

// resample brings samples down to the rate of telephones: each is the mean of those it stands for, which takes out most of what is too high for it.
func resample(in []int16, speed int) []int16 {
	out := make([]int16, 0, int64(len(in))*rate/int64(speed)+1)
	for i := int64(0); ; i++ {
		from, to := i*int64(speed)/rate, (i+1)*int64(speed)/rate
		if to > int64(len(in)) {
			return out
		}
		sum := 0
		for _, s := range in[from:to] {
			sum += int(s)
		}
		out = append(out, int16(sum/int(to-from)))
	}
}

// encode makes the frames of a message, each of 20 ms, with silence to the end of the last.
func encode(samples []int16, l law) [][]byte {
	var frames [][]byte
	for len(samples) > 0 {
		frame := bytes.Repeat([]byte{l(0)}, frameSamples)
		for i, s := range samples[:min(frameSamples, len(samples))] {
			frame[i] = l(s)
		}
		frames = append(frames, frame)
		samples = samples[min(frameSamples, len(samples)):]
	}
	return frames
}
