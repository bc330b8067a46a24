package control

import (
	"errors"
	"fmt"
)

// InvalidError is a call that cannot be carried out as it was made; its text says what to write instead.
type InvalidError struct{ Problem string }

func (e *InvalidError) Error() string { return e.Problem }

// Invalid returns an InvalidError.
func Invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }

// ErrNotFound is in the chain of an error about something that has a name and is not there.
var ErrNotFound = errors.New("not found")

// NotFound returns an error with ErrNotFound in its chain, and only the given text.
func NotFound(format string, args ...any) error {
	return &sentError{text: fmt.Sprintf(format, args...), is: ErrNotFound}
}

// sentError is an error as it arrives: its text, and what it wraps.
type sentError struct {
	text string
	is   error
	code string
}

func (e *sentError) Error() string     { return e.text }
func (e *sentError) Unwrap() error     { return e.is }
func (e *sentError) ErrorCode() string { return e.code }

// Code is what an error is called that somebody branches on, here or in another process; empty when it has no name.
func Code(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return coded.ErrorCode()
	}
	return ""
}

// problem is an error on its way, with what callers branch on.
type problem struct {
	Text     string `json:"text"`
	Invalid  bool   `json:"invalid,omitempty"`
	NotFound bool   `json:"no_collection,omitempty"` // collections were the first that have names
	Code     string `json:"code,omitempty"`
}

func problemOf(err error) *problem {
	var wrong *InvalidError
	return &problem{Text: err.Error(), Invalid: errors.As(err, &wrong), NotFound: errors.Is(err, ErrNotFound),
		Code: Code(err)}
}

func (p *problem) err() error {
	switch {
	case p.Invalid:
		return &InvalidError{p.Text}
	case p.NotFound:
		return &sentError{text: p.Text, is: ErrNotFound}
	}
	return &sentError{text: p.Text, code: p.Code}
}
