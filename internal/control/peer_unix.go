//go:build linux || darwin

package control

import "net"

// peerUID asks the system who is at the other end.
func peerUID(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	if failed := raw.Control(func(fd uintptr) { uid, err = socketUID(int(fd)) }); failed != nil {
		return 0, failed
	}
	return uid, err
}
