// Package generate makes a realistic stream of pageviews: the same for the same
// [Config], byte for byte, on every machine. There is no clock and no map
// order in it, and no floating-point arithmetic but a share times 2^32.
//
// What it is like:
//
//   - Pages are viewed by Zipf's law (the k-th page 1/k as often as the first),
//     and belong to domains whose sizes follow it too.
//   - Persons view pages in visits: somewhat under half of the visits are of one
//     view, the others of a few, some seconds to minutes apart. Some persons come
//     more often than others; a quarter have user names, the others addresses.
//   - Bots, a few hundred, make long visits.
//   - Pageviews come late (minutes to hours: a phone that was offline) and, by
//     seconds, out of order; some come twice, now and then with another url and
//     time, which a duplicate may have.
//   - URLs are as browsers send them: with www, query or a slash at the end.
//   - Equiv edges link a user name to addresses; some are taken back.
//
// A [Generator] renders 200 to 250 bytes of JSON for each pageview, or a line in
// the combined log format.
package generate
