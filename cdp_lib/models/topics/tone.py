"""How praise and complaint sound in any business: plain words of the languages that reviews are written in.

They teach a pack's model the tone only, never a topic; a pack adds sentences of its own. A negation turns the tone of
what follows, so it stands here with it.
"""

_PRAISE = """
good, great, excellent, amazing, awesome, fantastic, wonderful, lovely, perfect, best, nice, superb, brilliant,
outstanding, delicious, tasty, yummy, fresh, friendly, helpful, polite, kind, welcoming, attentive,
professional, courteous, sweet, clean, spotless, tidy, cosy, comfortable, beautiful, pretty, charming, pleasant,
relaxing, quiet, spacious, bright, fast, quick, prompt, easy, convenient, smooth, reliable, punctual, efficient,
simple, generous, fair, affordable, cheap, love, loved, like, liked, enjoy, enjoyed, recommend, recommended,
happy, satisfied, impressed, delighted, glad, thanks, fun, favourite, favorite, worth, bargain, warm, smile,
smiled, thank, gem, heaven, always, better, 😍, 😊, 😋, 👍, ❤️, 🥰, 😀, 😄, 🎉, ⭐, 💯, 👏, ดี, ดีมาก, ดีงาม, เยี่ยม,
สุดยอด, ยอดเยี่ยม, ชอบ, ชอบมาก, รัก, ประทับใจ, แนะนำ, อร่อย, อร่อยมาก, หอม, สด, สะอาด, สวย, น่ารัก, สบาย, สะดวก,
เร็ว, ไว, รวดเร็ว, ง่าย, คุ้ม, คุ้มค่า, ถูก, สุภาพ, ใจดี, ยิ้มแย้ม, เป็นกันเอง, ใส่ใจ, เพลิน, สนุก, ปลื้ม, โอเค,
เลิศ, ถูกใจ, ฟิน, พอใจ, ขอบคุณ, ครบ, ตรงเวลา, นุ่ม, เพราะ, ละมุน, กลมกล่อม, เงียบสงบ, กว้างขวาง, คุณภาพดี,
บริการดี, ราคาดี, well done, very good, so good, really nice, will come again, come back, no problem, not bad,
no complaints, never disappoints, top notch, must try, on time, good value, not too sweet, no wait, did not have
to wait, no queue, nothing to complain about, well made, well kept, so fast, ไม่แพง, ไม่นาน, ไม่ช้า, ไม่ผิดหวัง,
ไม่เลี่ยน, ไม่ต้องรอ, มาอีก, มาซ้ำ, ต้องลอง, ไม่มีที่ติ
"""

_COMPLAINT = """
bad, terrible, awful, horrible, worst, poor, disgusting, disappointing, disappointed, mediocre, average, bland,
boring, rude, unfriendly, impolite, careless, arrogant, lazy, ignored, unhelpful, unprofessional, shouted,
angry, annoyed, dirty, filthy, sticky, smelly, messy, noisy, loud, crowded, cramped, uncomfortable, cold,
freezing, dark, broken, old, worn, slow, late, delayed, wrong, missing, forgot, forgotten, mistake, lost,
failed, fails, crash, crashes, error, stuck, useless, expensive, overpriced, pricey, costly, charged, refund,
waste, rip-off, ridiculous, stale, soggy, dry, burnt, bitter, sour, watery, tasteless, weak, hard, tiny, small,
unacceptable, hate, hated, avoid, regret, sad, unhappy, upset, never, nobody, nowhere, problem, problems,
complain, complained, leaked, spilled, damaged, scratched, rotten, faulty, scam, shame, worse, lukewarm, queued,
waited, unfortunately, lacking, insufficient, few, not, no, cannot, too, 😡, 😠, 👎, 😤, 🤢, 🤮, 😞, 😒, 😭, 💔, 🙄, แย่,
แย่มาก, ห่วย, เสีย, เสียดาย, ผิดหวัง, ไม่ดี, ไม่ชอบ, ไม่อร่อย, ไม่คุ้ม, ไม่สะอาด, ไม่สุภาพ, ไม่สนใจ, ไม่มี,
ไม่พอ, ไม่ได้, ไม่ค่อย, ไม่แนะนำ, ไม่ประทับใจ, ไม่โอเค, ไม่กลับมา, ไม่สด, แพง, แพงไป, ช้า, นาน, รอนาน, ผิด, ลืม,
หาย, สกปรก, เหม็น, เสียงดัง, ร้อน, แคบ, แออัด, น้อย, น้อยไป, แข็ง, แห้ง, จืด, ขมไหม้, หวานไป, เค็มไป, เลี่ยน,
หงุดหงิด, โมโห, เสียอารมณ์, หน้าบึ้ง, หยาบคาย, บ่น, เซ็ง, ล่ม, ค้าง, พัง, ชำรุด, โกง, เสียเวลา, เสียความรู้สึก,
ควรปรับปรุง, ปรับปรุง, เฉยๆ, งั้นๆ, ธรรมดา, ยาก, ลำบาก, แตก, รั่ว, not good, not worth, not clean, not friendly,
not fresh, not enough, not great, does not work, did not, too much, too long, too small, too loud, too sweet,
could be better, never again, not coming back, no one, no seats, no reply, let down, ran out, out of stock, fell
apart, a bit, long wait, nothing special, needs improvement, gone downhill, so slow, used to be better, สูงไป,
ไปหน่อย, รอนานมาก, ไม่ถูกต้อง, ไม่ตรง, ไม่ครบ, ไม่ร้อน, ไม่เย็น, ไม่เหมือนเดิม, เกินไป
"""

PRAISE = tuple(word.strip() for word in _PRAISE.replace("\n", " ").split(","))
COMPLAINT = tuple(word.strip() for word in _COMPLAINT.replace("\n", " ").split(","))
