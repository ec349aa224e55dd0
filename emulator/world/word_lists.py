"""What the invented world is made of: sentences by language, hashtags and places. Every sentence was made up for this file.

{n} stands for a number. Texts carry &amp;, &lt; and &gt; as X sends them.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.world.seeded_random import hash_number


class Language(NamedTuple):
    """code: as X names it (iw is Hebrew, in is Indonesian); share: relative volume; noon: UTC hour of its midday."""

    code: str
    share: int
    noon: int
    sentences: tuple[str, ...]


LANGUAGES = (
    Language("en", 560, 17, (
        "Rolled back {n} deploys before lunch, so the afternoon belongs to the test suite.",
        "Our alert budget is {n} pages a week &amp; we spent it by Tuesday.",
        "If p99 &gt; {n} ms and nobody notices, was it ever an objective?",
        "Hot take: a dashboard that nobody opens is a screensaver.",
        "Shipped the migration in {n} small steps and slept through all of them.",
        "The incident review took {n} minutes and found one missing index.",
        "Logs &amp; traces finally agree about what happened last night.",
        "Reading {n} lines of YAML to change one port. Such is life.",
        "New post: what we learned from turning off {n} noisy alerts.",
        "Tokens that never expire are passwords with better marketing.",
        "Our error rate went from {n} to zero. Turns out the exporter was down.",
        "We are hiring people who like quiet pagers and boring releases.",
        "That's {n} services now, and only two of them know why they exist.",
        "Latency &lt; {n} ms in the lab, feelings &gt; evidence in production.",
    )),
    Language("pt", 90, 15, (
        "Subimos {n} versões hoje e ninguém percebeu, que dia bom.",
        "O painel ficou verde depois de {n} tentativas &amp; um café.",
        "Migração concluída: {n} tabelas, nenhuma lágrima.",
        "Alerta que toca toda noite vira música de fundo.",
        "Alguém mais passou a manhã procurando um espaço no YAML?",
        "Nosso banco agora responde em {n} ms, até na segunda-feira.",
        "Dica do dia: meça antes de otimizar, e meça depois também.",
    )),
    Language("es", 90, 17, (
        "Hoy desplegamos {n} veces y seguimos de buen humor.",
        "El registro decía la verdad, solo había que leer {n} líneas.",
        "Cambiamos {n} alertas ruidosas por una que sí importa.",
        "¿Quién dejó el token caducado en el entorno de pruebas?",
        "La latencia bajó a {n} ms &amp; nadie sabe por qué, mañana lo medimos.",
        "Nuevo artículo: cómo partir un monolito sin romper los viernes.",
        "La mejor guardia es la que no se recuerda.",
    )),
    Language("ja", 110, 3, (
        "今日は{n}回デプロイして、一度も戻さなかった。",
        "アラートを{n}件減らしたら、よく眠れるようになった。",
        "ログを読めば全部書いてあった、読む前に三時間悩んだ。",
        "監視の監視を監視する人が必要かもしれない。",
        "レイテンシが{n}ミリ秒まで下がった、原因は不明。",
        "障害報告を書き終えた、次は原因を直す番だ。",
        "小さく出して早く学ぶ、今週はこれだけ覚えて帰る。",
    )),
    Language("de", 50, 11, (
        "Heute {n} Deployments, kein einziger Rollback, fast unheimlich.",
        "Wir haben {n} Warnungen abgeschaltet und hören endlich wieder die wichtigen.",
        "Das Dashboard ist grün, die Kaffeemaschine leider nicht.",
        "Neue Regel im Team: freitags nur lesen &amp; aufräumen.",
        "Die Ursache war wie immer ein abgelaufenes Zertifikat.",
        "Wer misst, darf mitreden; wer {n} Diagramme baut, muss aufräumen.",
    )),
    Language("fr", 50, 11, (
        "Encore {n} alertes cette nuit, dont une seule était utile.",
        "La mise en production a pris {n} minutes &amp; zéro sueur froide.",
        "On a retiré une file d'attente, et tout va plus vite.",
        "Le tableau de bord est beau, mais que dit-il vraiment ?",
        "Petit rappel : une sauvegarde jamais relue n'existe pas.",
        "Nouvel article : observer {n} services sans se ruiner.",
    )),
    Language("ar", 40, 10, (
        "نشرنا اليوم {n} إصدارات دون أي توقف في الخدمة.",
        "السجلات تقول الحقيقة دائما لمن يقرؤها بهدوء.",
        "خفضنا التنبيهات المزعجة إلى {n} في الأسبوع.",
        "لوحة المراقبة خضراء والقهوة جاهزة، صباح جميل.",
        "تعلمنا من العطل الأخير أن نختبر النسخ الاحتياطية.",
    )),
    Language("iw", 20, 10, (
        "עלינו לאוויר עם {n} גרסאות היום ואף אחד לא הרגיש.",
        "הלוגים צדקו, רק היה צריך לקרוא אותם.",
        "כיבינו {n} התראות רועשות וסוף סוף ישנים בלילה.",
        "מי השאיר את המפתח הישן בסביבת הבדיקות?",
        "השהיה ירדה ל {n} מילישניות, מחר נבין למה.",
    )),
    Language("hi", 40, 7, (
        "आज {n} बार तैनाती हुई और किसी को पता भी नहीं चला।",
        "लॉग में सब लिखा था, बस पढ़ना बाकी था।",
        "हमने {n} बेकार चेतावनियाँ हटाईं, अब नींद पूरी होती है।",
        "पहले मापो, फिर सुधारो, फिर दोबारा मापो।",
        "छोटे कदम, तेज़ सीख, यही इस हफ्ते का मंत्र है।",
    )),
    Language("ko", 45, 3, (
        "오늘 {n}번 배포했고 아무도 눈치채지 못했다.",
        "로그에 다 적혀 있었는데 읽지 않았을 뿐이었다.",
        "시끄러운 알림 {n}개를 껐더니 잠이 잘 온다.",
        "대시보드는 초록색인데 마음은 아직 노란색이다.",
        "작게 내보내고 빨리 배우자, 이번 주 다짐.",
    )),
    Language("tr", 30, 9, (
        "Bugün {n} sürüm çıktık, kimse fark etmedi.",
        "Gürültülü {n} uyarıyı kapattık, nihayet uyuyabiliyoruz.",
        "Kayıtlar doğruyu söylüyordu, okumak gerekiyordu.",
        "Yedek, geri yüklenmediği sürece yedek değildir.",
        "Gecikme {n} ms altına indi, nedenini yarın ölçeceğiz.",
    )),
    Language("it", 20, 11, (
        "Oggi {n} rilasci e nemmeno un brivido.",
        "Abbiamo spento {n} allarmi inutili &amp; dormiamo meglio.",
        "Il log diceva tutto, bastava leggerlo.",
        "Un cruscotto senza domande è solo un quadro.",
    )),
    Language("nl", 15, 11, (
        "Vandaag {n} keer uitgerold en niemand die het merkte.",
        "Minder meldingen, meer slaap: {n} regels weggegooid.",
        "Het lag weer aan het certificaat.",
        "Eerst meten, dan pas mopperen.",
    )),
    Language("in", 20, 5, (
        "Hari ini {n} kali rilis dan semuanya tenang.",
        "Log sudah menjelaskan semuanya, tinggal dibaca.",
        "Kami mematikan {n} alarm yang tidak berguna.",
        "Ukur dulu, baru perbaiki, lalu ukur lagi.",
    )),
    Language("und", 15, 14, ("",)),
    Language("qme", 15, 14, ("",)),
)  # fmt: skip
EMOJI = ("🚀", "🔥", "✅", "☕", "🎉", "🤖", "📈", "🧵", "👩‍💻", "🧑🏽‍🚀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇧🇷", "❤️‍🔥", "🫠", "👍🏿")
BIOGRAPHIES = (
    "Keeps pagers quiet.", "Opinions are invented, like everything here.", "Builds, breaks, writes it down.",
    "Café &amp; código.", "障害と珈琲。", "Infrastructure, gardens, bread.", "أكتب عن الأنظمة.", "",
)  # fmt: skip
# How many of ten thousand tweets have the tag as their subject. The smallest of the ten defaults must stay
# far above 100 in a week of 20,000.
INCIDENT = (
    "Another outage, {n} minutes so far. The status page is green, of course.",
    "Outage again: logins fail, and the status page shows nothing.",
    "Is it only us, or is this an outage? {n} % of our requests time out.",
    "The status page says {n} services, we say outage.",
    "Back after {n} minutes of outage; the status page was the last to know.",
)
"""Sentences of tweets of an incident."""

SUBJECTS = {
    "DevOps": 1500,
    "SRE": 520,
    "Microservices": 480,
    "Observability": 460,
    "Metrics": 330,
    "OAuth": 300,
    "OpenBanking": 260,
    "LogMonitoring": 150,
    "OpenTracing": 140,
    "Remediation": 130,
    "AI": 1500,
    "Python": 800,
    "Cloud": 560,
    "Kubernetes": 420,
    "Linux": 300,
    "CyberSecurity": 330,
    "Docker": 220,
    "OpenSource": 230,
    "AWS": 230,
    "FinTech": 220,
}
COMPANIONS = (
    "Kubernetes", "Python", "Cloud", "AI", "Docker", "Linux", "OpenSource", "AWS", "Azure", "CICD", "Terraform",
    "GitOps", "Serverless", "Java", "Golang", "RustLang", "API", "FinTech", "CyberSecurity", "InfoSec", "Monitoring",
    "Logging", "Tracing", "Grafana", "Prometheus", "OpenTelemetry", "PlatformEngineering", "MachineLearning",
    "CloudNative", "Automation", "IncidentResponse", "PSD2", "Jobs", "Remote", "100DaysOfCode",
)  # fmt: skip


class Place(NamedTuple):
    """A place as X describes it; id is 16 hexadecimal digits; longitude and latitude in degrees."""

    id: str
    name: str
    full_name: str
    country: str
    country_code: str
    place_type: str
    longitude: float
    latitude: float


def _place(name: str, region: str, country: str, code: str, where: tuple[float, float], kind: str = "city") -> Place:
    return Place(f"{hash_number('place ' + name) % (1 << 64):016x}", name, f"{name}, {region}", country, code, kind, *where)


PLACES = (
    _place("São Paulo", "Brasil", "Brazil", "BR", (-46.63, -23.55)),
    _place("Curitiba", "Brasil", "Brazil", "BR", (-49.27, -25.43)),
    _place("Bogotá", "Colombia", "Colombia", "CO", (-74.07, 4.71)),
    _place("Madrid", "España", "Spain", "ES", (-3.7, 40.42)),
    _place("Austin", "TX", "United States", "US", (-97.74, 30.27)),
    _place("Seattle", "WA", "United States", "US", (-122.33, 47.61)),
    _place("Ontario", "Canada", "Canada", "CA", (-85.32, 51.25), "admin"),
    _place("London", "England", "United Kingdom", "GB", (-0.13, 51.51)),
    _place("München", "Deutschland", "Germany", "DE", (11.58, 48.14)),
    _place("Paris", "France", "France", "FR", (2.35, 48.86)),
    _place("Tokyo", "Japan", "Japan", "JP", (139.69, 35.69)),
    _place("Seoul", "Republic of Korea", "Republic of Korea", "KR", (126.98, 37.57)),
    _place("Bengaluru", "India", "India", "IN", (77.59, 12.97)),
    _place("İstanbul", "Türkiye", "Türkiye", "TR", (28.98, 41.01)),
    _place("Tel Aviv-Yafo", "Israel", "Israel", "IL", (34.78, 32.08)),
    _place("Cairo", "Egypt", "Egypt", "EG", (31.24, 30.04)),
    _place("Kenya", "Kenya", "Kenya", "KE", (37.91, -0.02), "country"),
    _place("Amsterdam", "Nederland", "The Netherlands", "NL", (4.9, 52.37)),
    _place("Jakarta", "Indonesia", "Indonesia", "ID", (106.85, -6.21)),
    _place("Milano", "Italia", "Italy", "IT", (9.19, 45.46)),
)
