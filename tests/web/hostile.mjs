// SPDX-License-Identifier: Apache-2.0
// 300 strings that would do harm where text is taken for markup, script, a formula, a path or a
// command, or that hide what they are. All of them go through real packets (web.fleet).
const HARM = [
  '<img src=x onerror=OWN>', '<svg onload=OWN>', '<script>OWN</script>', '"><script>OWN</script>',
  "'><img src=x onerror=OWN>", '</title><script>OWN</script>', '</textarea><script>OWN</script>', '<iframe srcdoc="<script>OWN</script>">',
  '<a href="javascript:OWN">x</a>', 'javascript:OWN', '<body onload=OWN>', '<details open ontoggle=OWN>',
  '<math><mtext><style><img src=x onerror=OWN>', '{{OWN}}', '${OWN}', '#{OWN}', '<%= OWN %>', '{@html "<img src=x onerror=OWN>"}',
  '" autofocus onfocus=OWN x="', "' style=background:url(javascript:OWN) '", '<link rel=stylesheet href=//h.example>',
  '<meta http-equiv=refresh content="0;url=//h.example">', '<base href=//h.example>', '<form action=//h.example><input>',
  '<object data=//h.example>', '<embed src=//h.example>', '<video src=x onerror=OWN>', '<marquee onstart=OWN>',
  '&lt;img src=x onerror=OWN&gt;', '&#60;script&#62;OWN', '%3Cscript%3EOWN%3C/script%3E', '\\u003cscript\\u003eOWN',
  '<!--<img src="--><img src=x onerror=OWN>', '<![CDATA[<script>OWN</script>]]>', '<x/onpointerover=OWN>', '<input onfocus=OWN autofocus>',
  "';OWN//", '";OWN//', '`-OWN-`', '</script><script>OWN</script>', '=cmd|/C calc!A0', '+1+cmd|x', '@SUM(1+1)*cmd|x', "' OR 1=1--",
  '; DROP TABLE miner;--', '../../../../etc/passwd', '$(reboot)', '`reboot`', '| reboot', '\u202Eexe.gnp', '\u2066admin\u2069', '\u200b\u200d\ufeffx',
  'a\u0000b', '\u001b[2J\u001b]0;x\u0007', '\r\nSet-Cookie: a=b', '\n\nevent: gap\ndata: {}', '\u2028OWN\u2029', 'Ω≈ç√∫', '田中さん', '🎩💥'.repeat(4),
  '\u0300\u0301\u0302'.repeat(12), 'W'.repeat(60), '__proto__', 'constructor', 'null', 'undefined', 'NaN', '-1', '1e999', '{"$gt":""}',
];
const OWN = "document['documentElement']['dataset']['owned']=1"; // without dots, which part wallet and worker

/** Each carries its number, so that it can be found again. */
export const HOSTILE = Array.from({ length: 300 }, (_, i) => {
  const round = Math.floor(i / HARM.length);
  const text = HARM[i % HARM.length].replaceAll('OWN', OWN);
  return round === 0 ? `h${i}${text}` : round === 1 ? `${text}h${i}` : round === 2 ? `h${i} ${text.toUpperCase()}` : `h${i}"${text}"<b>`;
});
