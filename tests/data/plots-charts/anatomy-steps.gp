# Where the time of a start goes: its steps
# Redraw both pictures, in this folder: gnuplot anatomy-steps.gp
NAME = 'anatomy-steps'
DATA = NAME.'.tsv'
FONT = 'sans-serif'
# places on the canvas: pixels from the top left corner
W = 1000.0
H = 528.0
X(px) = px / W
Y(px) = 1 - px / H
set encoding utf8
array colour[4] = [0xE69F00, 0x0072B2, 0x009E73, 0xBBBBBB]

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

	set label 'Where the time of a start goes: its steps' at screen X(24), screen Y(26) left font FONT.',20' textcolor rgb '#000000'
	set label 'n = 100 starts of each driver · host kernel 6.1.0-28-amd64 · seed 42' at screen X(24), screen Y(54) left font FONT.',13' textcolor rgb '#444444'
	set label 'left out: time=host' at screen X(24), screen Y(74) left font FONT.',13' textcolor rgb '#444444'
	set label 'container: 1.72 ms in all (median); bars reach from the median begin to the median end of a step' at screen X(24), screen Y(94) left font FONT.',13' textcolor rgb '#444444'
	set object rectangle from screen X(16), screen Y(283) to screen X(984), screen Y(266) behind fc rgb '#F4F4F4' fs solid noborder
	set label 'before the first step' at screen X(238), screen Y(274) right font FONT.',12' textcolor rgb '#666666'
	set label '12.1 µs' at screen X(914), screen Y(274) right font FONT.',12' textcolor rgb '#666666'
	set label '0.7 %' at screen X(976), screen Y(274) right font FONT.',12' textcolor rgb '#666666'
	set label 'make-cgroup' at screen X(238), screen Y(291) right font FONT.',12' textcolor rgb '#000000'
	set label '331 µs' at screen X(914), screen Y(291) right font FONT.',12' textcolor rgb '#000000'
	set label '19 %' at screen X(976), screen Y(291) right font FONT.',12' textcolor rgb '#000000'
	set object rectangle from screen X(16), screen Y(317) to screen X(984), screen Y(300) behind fc rgb '#F4F4F4' fs solid noborder
	set label 'clone' at screen X(238), screen Y(308) right font FONT.',12' textcolor rgb '#000000'
	set label '75.7 µs' at screen X(914), screen Y(308) right font FONT.',12' textcolor rgb '#000000'
	set label '4.4 %' at screen X(976), screen Y(308) right font FONT.',12' textcolor rgb '#000000'
	set label 'private-mounts' at screen X(238), screen Y(325) right font FONT.',12' textcolor rgb '#000000'
	set label '9.09 µs' at screen X(914), screen Y(325) right font FONT.',12' textcolor rgb '#000000'
	set label '0.5 %' at screen X(976), screen Y(325) right font FONT.',12' textcolor rgb '#000000'
	set object rectangle from screen X(16), screen Y(351) to screen X(984), screen Y(334) behind fc rgb '#F4F4F4' fs solid noborder
	set label 'network namespace' at screen X(238), screen Y(342) right font FONT.',12' textcolor rgb '#000000'
	set label '565 µs' at screen X(914), screen Y(342) right font FONT.',12' textcolor rgb '#000000'
	set label '33 %' at screen X(976), screen Y(342) right font FONT.',12' textcolor rgb '#000000'
	set label 'tmpfs' at screen X(238), screen Y(359) right font FONT.',12' textcolor rgb '#000000'
	set label '62.6 µs' at screen X(914), screen Y(359) right font FONT.',12' textcolor rgb '#000000'
	set label '3.6 %' at screen X(976), screen Y(359) right font FONT.',12' textcolor rgb '#000000'
	set object rectangle from screen X(16), screen Y(385) to screen X(984), screen Y(368) behind fc rgb '#F4F4F4' fs solid noborder
	set label 'mount proc' at screen X(238), screen Y(376) right font FONT.',12' textcolor rgb '#000000'
	set label '21.2 µs' at screen X(914), screen Y(376) right font FONT.',12' textcolor rgb '#000000'
	set label '1.2 %' at screen X(976), screen Y(376) right font FONT.',12' textcolor rgb '#000000'
	set label 'mount sys' at screen X(238), screen Y(393) right font FONT.',12' textcolor rgb '#000000'
	set label '20.2 µs' at screen X(914), screen Y(393) right font FONT.',12' textcolor rgb '#000000'
	set label '1.2 %' at screen X(976), screen Y(393) right font FONT.',12' textcolor rgb '#000000'
	set object rectangle from screen X(16), screen Y(419) to screen X(984), screen Y(402) behind fc rgb '#F4F4F4' fs solid noborder
	set label 'pivot' at screen X(238), screen Y(410) right font FONT.',12' textcolor rgb '#000000'
	set label '568 µs' at screen X(914), screen Y(410) right font FONT.',12' textcolor rgb '#000000'
	set label '33 %' at screen X(976), screen Y(410) right font FONT.',12' textcolor rgb '#000000'
	set label 'capabilities' at screen X(238), screen Y(427) right font FONT.',12' textcolor rgb '#000000'
	set label '45.4 µs' at screen X(914), screen Y(427) right font FONT.',12' textcolor rgb '#000000'
	set label '2.6 %' at screen X(976), screen Y(427) right font FONT.',12' textcolor rgb '#000000'
	set object rectangle from screen X(16), screen Y(453) to screen X(984), screen Y(436) behind fc rgb '#F4F4F4' fs solid noborder
	set label 'seccomp' at screen X(238), screen Y(444) right font FONT.',12' textcolor rgb '#000000'
	set label '136 µs' at screen X(914), screen Y(444) right font FONT.',12' textcolor rgb '#000000'
	set label '7.9 %' at screen X(976), screen Y(444) right font FONT.',12' textcolor rgb '#000000'
	set label 'after the last step' at screen X(238), screen Y(461) right font FONT.',12' textcolor rgb '#666666'
	set label '434 µs' at screen X(914), screen Y(461) right font FONT.',12' textcolor rgb '#666666'
	set label '25 %' at screen X(976), screen Y(461) right font FONT.',12' textcolor rgb '#666666'
	set label 'median' at screen X(914), screen Y(165) right font FONT.',12' textcolor rgb '#666666'
	set label 'share' at screen X(976), screen Y(165) right font FONT.',12' textcolor rgb '#666666'
	set label 'parent' at screen X(238), screen Y(165) right font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(254), screen Y(175) to screen X(368), screen Y(155) behind fc rgb '#E69F00' fs solid border lc rgb '#FFFFFF' lw 0.5
	set object rectangle from screen X(368), screen Y(175) to screen X(395), screen Y(155) behind fc rgb '#E69F00' fs solid border lc rgb '#FFFFFF' lw 0.5
	set label 'child' at screen X(238), screen Y(191) right font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(395), screen Y(201) to screen X(398), screen Y(181) behind fc rgb '#0072B2' fs solid border lc rgb '#FFFFFF' lw 0.5
	set object rectangle from screen X(398), screen Y(201) to screen X(419), screen Y(181) behind fc rgb '#0072B2' fs solid border lc rgb '#FFFFFF' lw 0.5
	set object rectangle from screen X(419), screen Y(201) to screen X(427), screen Y(181) behind fc rgb '#0072B2' fs solid border lc rgb '#FFFFFF' lw 0.5
	set object rectangle from screen X(427), screen Y(201) to screen X(434), screen Y(181) behind fc rgb '#0072B2' fs solid border lc rgb '#FFFFFF' lw 0.5
	set object rectangle from screen X(434), screen Y(201) to screen X(630), screen Y(181) behind fc rgb '#0072B2' fs solid border lc rgb '#FFFFFF' lw 0.5
	set object rectangle from screen X(630), screen Y(201) to screen X(645), screen Y(181) behind fc rgb '#0072B2' fs solid border lc rgb '#FFFFFF' lw 0.5
	set object rectangle from screen X(645), screen Y(201) to screen X(692), screen Y(181) behind fc rgb '#0072B2' fs solid border lc rgb '#FFFFFF' lw 0.5
	set label 'helper' at screen X(238), screen Y(217) right font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(396), screen Y(227) to screen X(591), screen Y(207) behind fc rgb '#009E73' fs solid border lc rgb '#FFFFFF' lw 0.5
	set label 'no step' at screen X(238), screen Y(243) right font FONT.',13' textcolor rgb '#000000'
	set object rectangle from screen X(250), screen Y(253) to screen X(254), screen Y(233) behind fc rgb '#BBBBBB' fs solid border lc rgb '#FFFFFF' lw 0.5
	set object rectangle from screen X(692), screen Y(253) to screen X(842), screen Y(233) behind fc rgb '#BBBBBB' fs solid border lc rgb '#FFFFFF' lw 0.5
	set arrow from screen X(395), screen Y(145) to screen X(395), screen Y(470) nohead lw 1 dt (4,3) lc rgb '#444444' front
	set label 'T1 launched' at screen X(395), screen Y(136) center font FONT.',12' textcolor rgb '#000000'
	set arrow from screen X(692), screen Y(145) to screen X(692), screen Y(470) nohead lw 1 dt (4,3) lc rgb '#444444' front
	set label 'T2 sandbox' at screen X(692), screen Y(136) center font FONT.',12' textcolor rgb '#000000'
	set arrow from screen X(738), screen Y(145) to screen X(738), screen Y(470) nohead lw 1 dt (4,3) lc rgb '#444444' front
	set label 'T5 main' at screen X(738), screen Y(121) center font FONT.',12' textcolor rgb '#000000'
	set arrow from screen X(842), screen Y(145) to screen X(842), screen Y(470) nohead lw 1 dt (4,3) lc rgb '#444444' front
	set label 'T6 ready' at screen X(842), screen Y(136) center font FONT.',12' textcolor rgb '#000000'
	SCALE = 1000
	set lmargin at screen X(250)
	set rmargin at screen X(842)
	set tmargin at screen Y(266)
	set bmargin at screen Y(470)
	set xrange [0:0.001716150*SCALE]
	set yrange [12-0.5:-0.5]
	set border 1 lc rgb '#444444'
	unset ytics
	unset key
	set xtics autofreq nomirror out scale 0.6 format '%g' font FONT.',12'
	set grid xtics lt 1 lw 0.5 lc rgb '#D8D8D8'
	set label 'time since the request (T0), ms' at screen X(546), screen Y(512) center font FONT.',13' textcolor rgb '#000000'
	plot DATA skip 1 using ($2*SCALE):1:($2*SCALE):($3*SCALE):($1-0.34):($1+0.34):(colour[$4+1]) with boxxyerror lc rgb variable fs solid 1 border
	unset output
}
