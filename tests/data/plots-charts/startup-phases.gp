# Where the time of a start goes: medians of its phases
# Redraw both pictures, in this folder: gnuplot startup-phases.gp
NAME = 'startup-phases'
DATA = NAME.'.tsv'
FONT = 'sans-serif'
# places on the canvas: pixels from the top left corner
W = 1000.0
H = 538.0
X(px) = px / W
Y(px) = 1 - px / H
set encoding utf8
array colour[7] = [0x56B4E9, 0xE69F00, 0xBBBBBB, 0xD55E00, 0xCC79A7, 0x009E73, 0xF0E442]
# what a part of a bar has room for: name and value, value, nothing
room(s) = s / TOTAL * 832 / 8.0 - 1.5
caption(s, name, value) = room(s) > strlen(name.' '.value) ? name.' '.value : room(s) > strlen(value) ? value : ''

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

	set label 'Where the time of a start goes: medians of its phases' at screen X(24), screen Y(26) left font FONT.',20' textcolor rgb '#000000'
	set label 'n = 100 starts of each driver · host kernel 6.1.0-28-amd64 · seed 42' at screen X(24), screen Y(54) left font FONT.',13' textcolor rgb '#444444'
	set label 'VM figures: TCG (emulated), q35' at screen X(24), screen Y(74) left font FONT.',13' textcolor rgb '#444444'
	set label 'each bar has its own axis: compare the median totals at the right, not the lengths' at screen X(24), screen Y(94) left font FONT.',13' textcolor rgb '#444444'
	set lmargin at screen X(30)
	set rmargin at screen X(862)
	unset ytics
	unset key
	set yrange [0:1]
	set multiplot
	set object rectangle from screen X(30), screen Y(127) to screen X(52), screen Y(113) fc rgb '#56B4E9' fs solid border lc rgb '#444444' lw 0.5
	set label 'launch' at screen X(59), screen Y(120) left font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(139), screen Y(127) to screen X(161), screen Y(113) fc rgb '#E69F00' fs solid border lc rgb '#444444' lw 0.5
	set label 'sandbox' at screen X(168), screen Y(120) left font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(257), screen Y(127) to screen X(279), screen Y(113) fc rgb '#D55E00' fs solid border lc rgb '#444444' lw 0.5
	set label 'kernel boot' at screen X(286), screen Y(120) left font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(411), screen Y(127) to screen X(433), screen Y(113) fc rgb '#CC79A7' fs solid border lc rgb '#444444' lw 0.5
	set label 'init' at screen X(440), screen Y(120) left font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(502), screen Y(127) to screen X(524), screen Y(113) fc rgb '#009E73' fs solid border lc rgb '#444444' lw 0.5
	set label 'main' at screen X(531), screen Y(120) left font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(593), screen Y(127) to screen X(615), screen Y(113) fc rgb '#F0E442' fs solid border lc rgb '#444444' lw 0.5
	set label 'ready' at screen X(622), screen Y(120) left font FONT.',13' textcolor rgb '#000000'
	set label 'n = 100' at screen X(862), screen Y(159) right font FONT.',12' textcolor rgb '#444444'
	set label 'null (floor)' at screen X(30), screen Y(159) left font FONT.',15' textcolor rgb '#000000'
	set label '1.52 µs' at screen X(876), screen Y(191) left font FONT.',18' textcolor rgb '#000000'
	set tmargin at screen Y(174)
	set bmargin at screen Y(208)
	SCALE = 1e+06
	TOTAL = 0.000001524
	set border 1 lc rgb '#444444'
	set xrange [0:TOTAL*SCALE]
	set xtics autofreq nomirror out scale 0.6 offset 0,0.4 format '%g µs' font FONT.',12'
	plot DATA skip 1 index 0 using ($3*SCALE):(0):($3*SCALE):($4*SCALE):(0):(1):(colour[$1+1]) with boxxyerror lc rgb variable fs solid 1 border lc rgb '#444444', \
	     DATA skip 1 index 0 using (($3+$4)/2*SCALE):(0.5):(caption($4-$3, strcol(2), strcol(5))) with labels font FONT.',13'
	unset label
	unset object

	set label 'n = 100' at screen X(862), screen Y(255) right font FONT.',12' textcolor rgb '#444444'
	set label 'process' at screen X(30), screen Y(255) left font FONT.',15' textcolor rgb '#000000'
	set label '353 µs' at screen X(876), screen Y(287) left font FONT.',18' textcolor rgb '#000000'
	set tmargin at screen Y(270)
	set bmargin at screen Y(304)
	SCALE = 1e+06
	TOTAL = 0.000353150
	set border 1 lc rgb '#444444'
	set xrange [0:TOTAL*SCALE]
	set xtics autofreq nomirror out scale 0.6 offset 0,0.4 format '%g µs' font FONT.',12'
	plot DATA skip 1 index 1 using ($3*SCALE):(0):($3*SCALE):($4*SCALE):(0):(1):(colour[$1+1]) with boxxyerror lc rgb variable fs solid 1 border lc rgb '#444444', \
	     DATA skip 1 index 1 using (($3+$4)/2*SCALE):(0.5):(caption($4-$3, strcol(2), strcol(5))) with labels font FONT.',13'
	unset label
	unset object

	set label 'n = 100' at screen X(862), screen Y(351) right font FONT.',12' textcolor rgb '#444444'
	set label 'container' at screen X(30), screen Y(351) left font FONT.',15' textcolor rgb '#000000'
	set label '1.90 ms' at screen X(876), screen Y(383) left font FONT.',18' textcolor rgb '#000000'
	set tmargin at screen Y(366)
	set bmargin at screen Y(400)
	SCALE = 1000
	TOTAL = 0.001903800
	set border 1 lc rgb '#444444'
	set xrange [0:TOTAL*SCALE]
	set xtics autofreq nomirror out scale 0.6 offset 0,0.4 format '%g ms' font FONT.',12'
	plot DATA skip 1 index 2 using ($3*SCALE):(0):($3*SCALE):($4*SCALE):(0):(1):(colour[$1+1]) with boxxyerror lc rgb variable fs solid 1 border lc rgb '#444444', \
	     DATA skip 1 index 2 using (($3+$4)/2*SCALE):(0.5):(caption($4-$3, strcol(2), strcol(5))) with labels font FONT.',13'
	unset label
	unset object

	set label 'n = 100' at screen X(862), screen Y(447) right font FONT.',12' textcolor rgb '#444444'
	set label 'vm (TCG, q35)' at screen X(30), screen Y(447) left font FONT.',15' textcolor rgb '#000000'
	set label '2.10 s' at screen X(876), screen Y(479) left font FONT.',18' textcolor rgb '#000000'
	set tmargin at screen Y(462)
	set bmargin at screen Y(496)
	SCALE = 1
	TOTAL = 2.100000000
	set border 1 lc rgb '#444444'
	set xrange [0:TOTAL*SCALE]
	set xtics autofreq nomirror out scale 0.6 offset 0,0.4 format '%g s' font FONT.',12'
	plot DATA skip 1 index 3 using ($3*SCALE):(0):($3*SCALE):($4*SCALE):(0):(1):(colour[$1+1]) with boxxyerror lc rgb variable fs solid 1 border lc rgb '#444444', \
	     DATA skip 1 index 3 using (($3+$4)/2*SCALE):(0.5):(caption($4-$3, strcol(2), strcol(5))) with labels font FONT.',13'
	unset label
	unset object

	unset multiplot
	unset output
}
