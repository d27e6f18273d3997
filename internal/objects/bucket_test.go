package objects_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"speedlayer/internal/external"
	"speedlayer/internal/objects"
)

// On a real server that speaks S3: the contract, and objects that are sent in
// parts, whose last request carries the condition.
func TestS3Server(t *testing.T) {
	url := external.Seaweed(t)
	t.Run("contract", func(t *testing.T) {
		testObjects(t, open(t, strings.Replace(url, "some/folder", "objects", 1)), 4) // this server has those who lose wait for seconds
	})
	t.Run("parts", func(t *testing.T) { testParts(t, open(t, url)) })
	t.Run("no bucket", func(t *testing.T) {
		s := open(t, strings.Replace(url, "s3://archive/", "s3://missing/", 1))
		err := s.List(t.Context(), "", func(string, int64) error { return nil })
		if err == nil || errors.Is(err, objects.ErrNotFound) {
			t.Errorf("a bucket that is missing lists with %v", err)
		}
	})
}

func testParts(t *testing.T, s objects.Store) {
	objects.SetPart(s, 5<<20)
	text := bytes.Repeat([]byte("0123456789abcdef"), 11<<20/16)
	create := func(text []byte) error {
		return s.Create(t.Context(), "large", bytes.NewReader(text), int64(len(text)))
	}
	if err := create(text); err != nil {
		t.Fatal(err)
	}
	if err := create(make([]byte, len(text))); !errors.Is(err, objects.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	if err := s.Create(t.Context(), "short", io.LimitReader(zeros{}, 6<<20), 7<<20); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a reader that ends early: %v", err)
	}
	if have, err := objects.ReadAll(t.Context(), s, "large"); err != nil || !bytes.Equal(have, text) {
		t.Errorf("%d bytes come back, %v", len(have), err)
	}
	if err := s.List(t.Context(), "", func(name string, _ int64) error {
		if name != "large" {
			t.Errorf("%s is there", name)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
