# Start-up time: from the request to the first answer (T0→T6)
# Redraw both pictures, in this folder: gnuplot startup-ecdf.gp
NAME = 'startup-ecdf'
DATA = NAME.'.tsv'
FONT = 'sans-serif'
# places on the canvas: pixels from the top left corner
W = 1000.0
H = 666.0
X(px) = px / W
Y(px) = 1 - px / H
set encoding utf8

do for [format in 'svg png'] {
	reset
	set datafile separator tab
	if (format eq 'svg') {
		set terminal svg size W,H fixed noenhanced font FONT.',13' background '#ffffff'
	} else { if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {
		set terminal pngcairo size 2*W,2*H noenhanced font FONT.',13' fontscale 1.5 linewidth 2 pointscale 2 background '#ffffff'
	} else {
		set terminal png size W,H noenhanced fontscale 0.75 background '#ffffff'
	}}
	set output NAME.'.'.format

	set label 'Start-up time: from the request to the first answer (T0→T6)' at screen X(24), screen Y(26) left font FONT.',20' textcolor rgb '#000000'
	set label 'n = 100 starts of each driver · host kernel 6.1.0-28-amd64 · seed 42' at screen X(24), screen Y(54) left font FONT.',13' textcolor rgb '#444444'
	set label 'VM figures: TCG (emulated), q35' at screen X(24), screen Y(74) left font FONT.',13' textcolor rgb '#444444'
	set lmargin at screen X(84)
	set rmargin at screen X(972)
	set tmargin at screen Y(94)
	set bmargin at screen Y(474)
	set border 3 lc rgb '#444444'
	set tics nomirror out textcolor rgb '#000000'
	set grid xtics ytics lt 1 lw 0.5 lc rgb '#D8D8D8'
	unset key
	set yrange [-0.015:1.015]
	set ytics ('0 %%' 0, '25 %%' 0.25, '50 %%' 0.5, '75 %%' 0.75, '100 %%' 1)
	set label 'share of starts that are ready' at screen X(18), screen Y(284) center rotate by 90 font FONT.',13'
	set label 'time from the request to the first answer, T0→T6 (logarithmic)' at screen X(528), screen Y(524) center font FONT.',13' textcolor rgb '#000000'
	set logscale x
	set xrange [0.000001000:10.000000000]
	set xtics ('1 µs' 0.000001000, '' 0.000002000 1, '' 0.000003000 1, '' 0.000004000 1, '' 0.000005000 1, '' 0.000006000 1, '' 0.000007000 1, '' 0.000008000 1, '' 0.000009000 1, '10 µs' 0.000010000, '' 0.000020000 1, '' 0.000030000 1, '' 0.000040000 1, '' 0.000050000 1, '' 0.000060000 1, '' 0.000070000 1, '' 0.000080000 1, '' 0.000090000 1, '100 µs' 0.000100000, '' 0.000200000 1, '' 0.000300000 1, '' 0.000400000 1, '' 0.000500000 1, '' 0.000600000 1, '' 0.000700000 1, '' 0.000800000 1, '' 0.000900000 1, '1 ms' 0.001000000, '' 0.002000000 1, '' 0.003000000 1, '' 0.004000000 1, '' 0.005000000 1, '' 0.006000000 1, '' 0.007000000 1, '' 0.008000000 1, '' 0.009000000 1, '10 ms' 0.010000000, '' 0.020000000 1, '' 0.030000000 1, '' 0.040000000 1, '' 0.050000000 1, '' 0.060000000 1, '' 0.070000000 1, '' 0.080000000 1, '' 0.090000000 1, '100 ms' 0.100000000, '' 0.200000000 1, '' 0.300000000 1, '' 0.400000000 1, '' 0.500000000 1, '' 0.600000000 1, '' 0.700000000 1, '' 0.800000000 1, '' 0.900000000 1, '1 s' 1.000000000, '' 2.000000000 1, '' 3.000000000 1, '' 4.000000000 1, '' 5.000000000 1, '' 6.000000000 1, '' 7.000000000 1, '' 8.000000000 1, '' 9.000000000 1, '10 s' 10.000000000) scale 1,0.5
	set label 'driver' at screen X(146), screen Y(560) left font FONT.',12' textcolor rgb '#666666'
	set label 'n' at screen X(310), screen Y(560) right font FONT.',12' textcolor rgb '#666666'
	set label 'median (●)' at screen X(410), screen Y(560) right font FONT.',12' textcolor rgb '#666666'
	set label 'p99' at screen X(500), screen Y(560) right font FONT.',12' textcolor rgb '#666666'
	set arrow from screen X(84), screen Y(582) to screen X(136), screen Y(582) nohead lw 2.5 lc rgb '#777777' dt (2,4)
	set label 'null (floor)' at screen X(146), screen Y(582) left font FONT.',13' textcolor rgb '#000000'
	set label '100' at screen X(310), screen Y(582) right font FONT.',13' textcolor rgb '#000000'
	set label '1.52 µs' at screen X(410), screen Y(582) right font FONT.',13' textcolor rgb '#000000'
	set label '1.93 µs' at screen X(500), screen Y(582) right font FONT.',13' textcolor rgb '#000000'
	set arrow from screen X(84), screen Y(604) to screen X(136), screen Y(604) nohead lw 2.5 lc rgb '#0072B2' dt 1
	set label 'process' at screen X(146), screen Y(604) left font FONT.',13' textcolor rgb '#000000'
	set label '100' at screen X(310), screen Y(604) right font FONT.',13' textcolor rgb '#000000'
	set label '353 µs' at screen X(410), screen Y(604) right font FONT.',13' textcolor rgb '#000000'
	set label '420 µs' at screen X(500), screen Y(604) right font FONT.',13' textcolor rgb '#000000'
	set arrow from screen X(84), screen Y(626) to screen X(136), screen Y(626) nohead lw 2.5 lc rgb '#D55E00' dt (12,4)
	set label 'container' at screen X(146), screen Y(626) left font FONT.',13' textcolor rgb '#000000'
	set label '100' at screen X(310), screen Y(626) right font FONT.',13' textcolor rgb '#000000'
	set label '1.90 ms' at screen X(410), screen Y(626) right font FONT.',13' textcolor rgb '#000000'
	set label '2.21 ms' at screen X(500), screen Y(626) right font FONT.',13' textcolor rgb '#000000'
	set arrow from screen X(84), screen Y(648) to screen X(136), screen Y(648) nohead lw 2.5 lc rgb '#009E73' dt (3,3)
	set label 'vm (TCG, q35)' at screen X(146), screen Y(648) left font FONT.',13' textcolor rgb '#000000'
	set label '100' at screen X(310), screen Y(648) right font FONT.',13' textcolor rgb '#000000'
	set label '2.10 s' at screen X(410), screen Y(648) right font FONT.',13' textcolor rgb '#000000'
	set label '2.66 s' at screen X(500), screen Y(648) right font FONT.',13' textcolor rgb '#000000'
	set label '' at first 0.000001524, first 0.5 point pt 7 ps 0.9 lc rgb '#777777' front
	set label '' at first 0.000353150, first 0.5 point pt 7 ps 0.9 lc rgb '#0072B2' front
	set label '' at first 0.001903800, first 0.5 point pt 7 ps 0.9 lc rgb '#D55E00' front
	set label '' at first 2.100000000, first 0.5 point pt 7 ps 0.9 lc rgb '#009E73' front
	plot DATA skip 1 index 0 using 1:2 with steps lw 2 lc rgb '#777777' dt (2,4), \
	     DATA skip 1 index 1 using 1:2 with steps lw 2 lc rgb '#0072B2' dt 1, \
	     DATA skip 1 index 2 using 1:2 with steps lw 2 lc rgb '#D55E00' dt (12,4), \
	     DATA skip 1 index 3 using 1:2 with steps lw 2 lc rgb '#009E73' dt (3,3)
	unset output
}
