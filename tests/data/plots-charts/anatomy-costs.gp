# What each feature of a start costs: the whole against variants
# Redraw both pictures, in this folder: gnuplot anatomy-costs.gp
NAME = 'anatomy-costs'
DATA = NAME.'.tsv'
FONT = 'sans-serif'
# places on the canvas: pixels from the top left corner
W = 1000.0
H = 385.0
X(px) = px / W
Y(px) = 1 - px / H
set encoding utf8
array colour[3] = [0xBBBBBB, 0xD55E00, 0x009E73]

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

	set label 'What each feature of a start costs: the whole against variants' at screen X(24), screen Y(26) left font FONT.',20' textcolor rgb '#000000'
	set label 'n = 100 starts of each driver · host kernel 6.1.0-28-amd64 · seed 42' at screen X(24), screen Y(54) left font FONT.',13' textcolor rgb '#444444'
	set label 'left out: time=host' at screen X(24), screen Y(74) left font FONT.',13' textcolor rgb '#444444'
	set label 'the whole: container, median 1.72 ms · process 350 µs · bare=on 420 µs' at screen X(24), screen Y(94) left font FONT.',13' textcolor rgb '#444444'
	set object rectangle from screen X(24), screen Y(133) to screen X(46), screen Y(119) fc rgb '#D55E00' fs solid border lc rgb '#444444' lw 0.5
	set label 'costs' at screen X(53), screen Y(126) left font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(124), screen Y(133) to screen X(146), screen Y(119) fc rgb '#009E73' fs solid border lc rgb '#444444' lw 0.5
	set label 'saves' at screen X(153), screen Y(126) left font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(224), screen Y(133) to screen X(246), screen Y(119) fc rgb '#BBBBBB' fs solid border lc rgb '#444444' lw 0.5
	set label 'no decision' at screen X(253), screen Y(126) left font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(378), screen Y(133) to screen X(400), screen Y(119) fc rgb '#EEEEEE' fs solid border lc rgb '#444444' lw 0.5
	set label 'noise of this run: ± 66.7 µs between two equal starts' at screen X(407), screen Y(126) left font FONT.',13' textcolor rgb '#000000'
	set label 'network namespace' at screen X(318), screen Y(164) right font FONT.',13' textcolor rgb '#000000'
	set label '+561 [+522 … +581] µs' at screen X(806), screen Y(164) left font FONT.',12' textcolor rgb '#000000'
	set label '+ veth into a bridge' at screen X(318), screen Y(189) right font FONT.',13' textcolor rgb '#000000'
	set label '+447 [+399 … +475] µs' at screen X(806), screen Y(189) left font FONT.',12' textcolor rgb '#000000'
	set label 'own mounts, pivot_root not chroot' at screen X(318), screen Y(214) right font FONT.',13' textcolor rgb '#000000'
	set label '+293 [+256 … +337] µs' at screen X(806), screen Y(214) left font FONT.',12' textcolor rgb '#000000'
	set label 'system call filter' at screen X(318), screen Y(239) right font FONT.',13' textcolor rgb '#000000'
	set label '+143 [+119 … +167] µs' at screen X(806), screen Y(239) left font FONT.',12' textcolor rgb '#000000'
	set label 'host name namespace' at screen X(318), screen Y(264) right font FONT.',13' textcolor rgb '#666666'
	set label '+15.5 [−65.0 … +43.3] µs' at screen X(806), screen Y(264) left font FONT.',12' textcolor rgb '#666666'
	set label '+ pool of prepared parts' at screen X(318), screen Y(289) right font FONT.',13' textcolor rgb '#000000'
	set label '−804 [−844 … −765] µs' at screen X(806), screen Y(289) left font FONT.',12' textcolor rgb '#000000'
	set label 'noise: the same once more' at screen X(318), screen Y(314) right font FONT.',13' textcolor rgb '#666666'
	set label '+1.4 [−66.7 … +43.1] µs' at screen X(806), screen Y(314) left font FONT.',12' textcolor rgb '#666666'
	SCALE = 1e+06
	set lmargin at screen X(330)
	set rmargin at screen X(792)
	set tmargin at screen Y(152)
	set bmargin at screen Y(327)
	set xrange [-0.000886942*SCALE:0.000623262*SCALE]
	set yrange [7-0.5:-0.5]
	set border 1 lc rgb '#444444'
	unset ytics
	unset key
	set xtics autofreq nomirror out scale 0.6 format '%g' font FONT.',12'
	set grid xtics lt 1 lw 0.5 lc rgb '#D8D8D8'
	set object rectangle from first -0.000066660*SCALE, graph 0 to first 0.000066660*SCALE, graph 1 behind fc rgb '#EEEEEE' fs solid noborder
	set arrow from first 0, graph 0 to first 0, graph 1 nohead lw 1 lc rgb '#444444' front
	set label 'what it adds to the start-up time T0→T6, µs, with 95 % interval' at screen X(561), screen Y(369) center font FONT.',13' textcolor rgb '#000000'
	plot DATA skip 1 using (0):1:(0):($2*SCALE):($1-0.32):($1+0.32):(colour[$5+1]) with boxxyerror lc rgb variable fs solid 1 noborder, \
	     DATA skip 1 using ($2*SCALE):1:($3*SCALE):($4*SCALE) with xerrorbars pt 7 ps 0.35 lw 1.2 lc rgb '#000000'
	unset output
}
