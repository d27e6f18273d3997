// Package accesslog reads the lines of web servers' access logs and reports which
// are pageviews. It knows the common and combined formats, with a virtual host
// in front or a forwarded address at the end, W3C extended logs (IIS,
// CloudFront), logs of Amazon's and HAProxy's load balancers, and JSON (Caddy,
// nginx, Traefik), each also with what syslog, journald, Docker and Kubernetes
// put in front of a line.
//
// A pageview is a GET with status 200-299 or 304 whose last path segment has no
// extension or one of those that pages have. The rules are those of DESIGN,
// "Log lines".
package accesslog
