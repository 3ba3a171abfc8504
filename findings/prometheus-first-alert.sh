#!/bin/bash
# Prometheus 2.42: an alert that fires just after the start is sent to nobody, and not until --rules.alert.resend-delay has passed.
#
# Prometheus hands the Alertmanagers of its configuration, static ones too, to its notifier only five seconds after the
# start. What fires before is dropped, and counted in prometheus_notifications_dropped_total; but it is noted as sent, so
# it is sent again only when the delay for repetitions is over (a minute by default; an hour here, so that it shows). One
# would guess that it waits in the queue for notifications, which exists and is empty.
set -euo pipefail
version=2.42.0+ds-5+deb12u1

folder=$(mktemp -d)
processes=()
stop() {
    [[ ${#processes[@]} -eq 0 ]] || kill "${processes[@]}" 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "prometheus=$version" >/dev/null
dpkg-deb --fsys-tarfile ./*.deb | tar -xO ./usr/bin/prometheus >prometheus
chmod +x prometheus

# What stands for an Alertmanager: it takes all that is posted to it, and writes down the names of the alerts.
cat >receiver.py <<'PYTHON'
import http.server, json

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            print(alert["labels"]["alertname"], flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 receiver.py >received &
processes+=($!)
until [[ -s received ]]; do sleep 0.1; done
receiver=$(head -n 1 received)

cat >rules.yml <<'YAML'
groups:
  - name: example
    rules:
      - {alert: FiresAtOnce, expr: vector(1)}
      - {alert: FiresOnceAlertmanagerIsKnown, expr: prometheus_notifications_alertmanagers_discovered > 0}
YAML
cat >prometheus.yml <<YAML
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:$receiver"]}]}]}
scrape_configs: [{job_name: itself, static_configs: [{targets: ["127.0.0.1:PORT"]}]}]
YAML
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/PORT/$port/" prometheus.yml
./prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address="127.0.0.1:$port" \
    --rules.alert.resend-delay=1h 2>log &
processes+=($!)

# Until the second alert has come, with which the first could have come too.
for _ in {1..600}; do
    grep -q FiresOnceAlertmanagerIsKnown received && break
    sleep 0.1
done
firing=$(python3 -c 'import json, sys, urllib.request
with urllib.request.urlopen(sys.argv[1]) as answer:
    print(*sorted(a["labels"]["alertname"] for a in json.load(answer)["data"]["alerts"] if a["state"] == "firing"))' \
    "http://127.0.0.1:$port/api/v1/alerts")
{
    ./prometheus --version | awk 'NR == 1 {print "prometheus " $3}'
    echo "firing: $firing"
    echo "received: $(tail -n +2 received | sort -u | tr '\n' ' ')"
} >seen
cat seen

expected='prometheus 2.42.0+ds
firing: FiresAtOnce FiresOnceAlertmanagerIsKnown
received: FiresOnceAlertmanagerIsKnown '
[[ $(<seen) == "$expected" ]] || {
    echo "prometheus-first-alert: this is no longer what was found" >&2
    exit 1
}
