//go:build !linux && !darwin

package inbox

func child() {}
