//go:build !unix

package audit

// child runs only where a process can be killed.
func child() {}
