# SPDX-License-Identifier: GPL-2.0-or-later
# Without a path: clients are held by the byte, not failed; the administrator's word ends it; SIGTERM ends the daemon
# in time, and no client is told of an error.
. "$(dirname "$0")/lib.sh"
case_begin dark
need python3 jq
make_disk 64M 2
write_conf "max_requests 16"
start_daemon
queue() { js ".luns[0].queue.$1"; }
state() { js '.luns[0].state'; }
dark() { for p in "${paths[@]}"; do ctl fail-path lab "$p" >/dev/null 2>&1 || fail "fail-path $p"; done; }
light() {
	for p in "${paths[@]}"; do ctl reinstate-path lab "$p" >/dev/null || fail "reinstate-path $p"; done
	ctl wait lab --paths 2 >/dev/null || fail "the paths do not come back"
}
# A path is proven by a command: until then the next loss of all paths continues the first.
use() {
	PYTHONPATH=$here python3 -c "from nbd_client import *; Client('$sock').go('lab').read(0, 4096)" ||
		fail "a read after the paths are back"
}
# flood NAME: in the background, 400 writes without a look at the answers; $T/NAME.sent grows by what was sent, and
# $T/NAME.end tells what came: "ok N err M", then "closed" if the server ended it.
flood() {
	cat >"$T/flood.py" <<-'EOF'
		import sys, threading
		sys.path.insert(0, sys.argv[1])
		from nbd_client import *
		c = Client(sys.argv[2], timeout=None).go("lab")
		N, data = 400, b"x" * 65536
		def sender():
		    with open(sys.argv[3] + ".sent", "w") as f:
		        try:
		            for i in range(N):
		                c.send_request(WRITE, i * 65536, len(data), data)
		                print(i + 1, file=f, flush=True)
		        except (Closed, OSError):
		            pass
		threading.Thread(target=sender, daemon=True).start()
		good = bad = 0
		end = ""
		try:
		    while good + bad < N:
		        _, err, _ = c.recv_reply()
		        good, bad = good + (err == 0), bad + (err != 0)
		except (Closed, OSError):
		    end = " closed"
		print("ok %d err %d%s" % (good, bad, end), file=open(sys.argv[3] + ".end", "w"), flush=True)
	EOF
	python3 "$T/flood.py" "$here" "$sock" "$T/$1" >"$T/$1.log" 2>&1 &
	flood_pid=$!
}
# What one client may have of the 16 requests is taken (see nbd_server.c: 4/5 of 5/8 of them, and 1 of its own), and the sender
# has stood still for a second.
held() {
	local i now sent=-1 still=0
	for i in $(seq 300); do
		now=$(cat "$T/$1.sent" 2>/dev/null | wc -l)
		still=$((now == sent && now > 0 ? still + 1 : 0))
		sent=$now
		[ "$(queue requests)" = 9 ] && [ $still -ge 10 ] && break
		sleep 0.1
	done
	[ "$(queue requests)" = 9 ] || fail "$1: $(queue requests) requests are taken, not 9"
	[ "$sent" -lt 400 ] || fail "$1: the client could send everything: its socket is still read"
	[ ! -e "$T/$1.end" ] || fail "$1: $(cat "$T/$1.end")"
	note "$1: held after $sent of 400 writes, $(queue buffer_bytes) bytes of buffers"
}
ended() {
	local i
	for i in $(seq 300); do [ -e "$T/$1.end" ] && break; sleep 0.1; done
	wait "$flood_pid"
	[ "$(cat "$T/$1.end")" = "$2" ] || fail "$1: $(cat "$T/$1.end" "$T/$1.log"), wanted: $2"
}

dark
[ "$(state)" = dark ] || fail "state $(state) without a path"
flood held
held held
light
ended held "ok 400 err 0"

dark
flood failed
held failed
[ "$(ctl fail lab now)" = "lab: failing, queueing is default" ] || fail "fail now: $(ctl fail lab now)"
ended failed "ok 0 err 400"
light
use
ctl fail lab now 2>/dev/null && fail "fail now is accepted while a path is usable"

dark
flood off
held off
ctl queueing lab off >/dev/null || fail "queueing off"
ended off "ok 0 err 400"
[ "$(ctl status lab | grep -c 'queueing=off')" = 1 ] || fail "status does not tell queueing=off"
ctl queueing lab default >/dev/null || fail "queueing default"
[ "$(state)" = dark ] || fail "state $(state) after queueing default"

flood term
held term
start=$(date +%s%N)
stop_daemon
ms=$((($(date +%s%N) - start) / 1000000))
[ $code = 0 ] || fail "exit code $code after SIGTERM without a path"
[ $ms -lt 5500 ] || fail "SIGTERM without a path took $ms ms"
ended term "ok 0 err 0 closed"
note "SIGTERM without a path took $ms ms"
pass
